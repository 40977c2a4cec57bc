"""Who talks with a broker keeps a bounded part of what comes without end."""

from __future__ import annotations

from collections import Counter

import pytest

from agent.errors import LinkLost
from agent.events import counters
from agent.fleet import talk as module
from agent.fleet.talk import Talk
from agent.link.settings import LinkMessage, LinkSettings, LinkUp


class Line:
    """A link that is up and sends nothing."""

    alive = True

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def publish(self, *_: object, **__: object) -> int:
        return 1


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Link", Line)
    monkeypatch.setattr(module, "_MOST_WAITING", 1000)


SETTINGS = LinkSettings("127.0.0.1", 1, "test")


def message(number: int) -> LinkMessage:
    return LinkMessage("edge/v1/demo/d/gate-1/up/res", bytes([number]) * 100, retain=False)


def test_messages_that_nobody_takes_are_bounded_and_those_let_go_are_counted() -> None:
    before = Counter(counters)
    talk = Talk(SETTINGS, ["a"])
    for number in range(50):
        talk._post(message(number))
    assert talk.dropped == 40
    assert counters["message.refused/flood"] - before["message.refused/flood"] == 40
    assert [found.payload[0] for _ in range(10) if (found := talk.next(0.1))] == list(range(10))
    assert talk.next(0.01) is None
    talk._post(message(7))
    assert talk.next(0.1) == message(7)


def test_what_a_broker_keeps_is_not_believed_where_some_of_it_was_let_go() -> None:
    talk = Talk(SETTINGS, ["a"], "edge/v1/demo/d/gate-1/echo")
    talk._post(LinkUp("5", 1 << 20, 20))
    for number in range(50):
        talk._post(message(number))
    with pytest.raises(LinkLost, match="more came than we can take"):
        talk.kept()
