"""Topics hold names that cannot break out of their level."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigInvalid, MessageInvalid
from agent.link import topics

names = st.from_regex(topics.NAME_PATTERN.replace("$", r"\Z"))


@given(fleet=names, device=names)
def test_the_sender_is_read_back_from_its_results_topic(fleet: str, device: str) -> None:
    assert {topics.sender_of_batch(fleet, topic) for topic in topics.up_batches(fleet, device).values()} == {
        device
    }


def test_topics_are_those_of_the_protocol() -> None:
    assert topics.up_results("demo", "pi-17") == "edge/v1/demo/d/pi-17/up/results"
    assert topics.down_ack("demo", "pi-17") == "edge/v1/demo/d/pi-17/down/ack"
    assert topics.up_state("demo", "pi-17") == "edge/v1/demo/d/pi-17/up/state"
    assert topics.all_batches("demo") == ("edge/v1/demo/d/+/up/results", "edge/v1/demo/d/+/up/metrics")


@pytest.mark.parametrize("name", ["", "+", "#", "a/b", "A", "-a", "_a", "a b", "a\n", "é", "a" * 64, "a\0"])
def test_a_name_that_could_change_a_topic_is_refused(name: str) -> None:
    assert not topics.is_name(name)
    for make in (topics.up_results, topics.down_ack, topics.up_state):
        with pytest.raises(ConfigInvalid, match="not allowed in a topic"):
            make("demo", name)
        with pytest.raises(ConfigInvalid):
            make(name, "pi-17")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "edge/v1/demo/d/pi-17/up/state",
        "edge/v1/other/d/pi-17/up/results",
        "edge/v1/demo/d/Pi/up/results",
        "edge/v1/demo/d//up/results",
        "edge/v1/demo/d/up/results",
        "edge/v1/demo/d/a/b/up/results",
        "xedge/v1/demo/d/pi-17/up/results",
        "edge/v1/demo/d/pi-17/up/results/",
    ],
)
def test_another_topic_has_no_sender(topic: str) -> None:
    with pytest.raises(MessageInvalid, match="no device's batches"):
        topics.sender_of_batch("demo", topic)
