"""When Home Assistant is told what, with a link that takes what it is given or does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from agent.home_assistant.discovery import Shown
from agent.home_assistant.partner import HomeAssistant
from agent.home_assistant.state import state
from agent.link.settings import LinkPublished, LinkUp
from agent.supervision.partners import Offer

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = Shown(
    fleet="north", device="gate-1", board="generic", pipelines=("door", "yard"), every_s=10, prefix="ha"
)
UP = LinkUp(protocol="5", receive_max=20, max_packet=0)
STATUS: dict[str, Any] = {
    "governor": {"readings": {"celsius": 51.237}},
    "store": {"backlog": 3},
    "uptime_s": 12.3,
    "pipelines": [
        {
            "name": "door",
            "state": "running",
            "fps": 9.87654,
            "infer_p99_ms": float("nan"),
            "problem": None,
            "unwell": [],
            "last": {
                "items": [
                    {"label": "cat", "score": 0.2, "box": [1, 2, 3, 4]},
                    {"label": "dog", "score": 0.9, "box": [1, 2, 3, 4]},
                ],
                "more": 2,
            },
        },
        {
            "name": "yard",
            "state": "backoff",
            "fps": 0.0,
            "infer_p99_ms": 0.0,
            "problem": "open rtsp://anna.example/1: gone",
            "unwell": [],
            "last": None,
        },
    ],
}


class Link:
    """A link; ``up`` says whether it takes messages."""

    def __init__(self) -> None:
        self.up = True
        self.sent: list[tuple[str, Any]] = []

    def publish(self, topic: str, payload: bytes, retain: bool) -> int | None:
        assert retain
        if not self.up:
            return None
        self.sent.append((topic, orjson.loads(payload) if payload else None))
        return len(self.sent)

    def partner(self, data: Path, shown: Shown = SHOWN, *, enabled: bool = True) -> HomeAssistant:
        """Make the partner, with a link that has just come up."""
        offer = Offer(
            lanes=(),
            publish=self.publish,
            settle=lambda _message: None,
            online=lambda: True,
            status=lambda: STATUS,
            end=lambda _why: None,
        )
        made = HomeAssistant(shown, offer, data, enabled=enabled)
        made.take(UP, 0.0)
        made.tick(0.0)
        return made

    def take(self) -> list[tuple[str, Any]]:
        """Give what was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


def test_discovery_comes_before_the_first_state_and_again_with_each_link(tmp_path: Path) -> None:
    link = Link()
    partner = link.partner(tmp_path)
    assert [topic for topic, _ in link.take()] == ["ha/device/gate-1/config", "edge/v1/north/d/gate-1/up/ha"]
    partner.tick(9.9)
    assert link.take() == []
    partner.tick(10.0)
    assert len(link.take()) == 1
    partner.take(UP, 11.0)
    partner.tick(11.0)
    assert [topic for topic, _ in link.take()] == ["ha/device/gate-1/config", "edge/v1/north/d/gate-1/up/ha"]


def test_what_the_link_does_not_take_is_said_again(tmp_path: Path) -> None:
    link = Link()
    link.up = False
    partner = link.partner(tmp_path)
    link.up = True
    partner.tick(partner.next_tick(0.0))
    assert len(link.take()) == 2


def test_sensors_of_a_pipeline_that_is_gone_are_removed_one_by_one_and_then_left_out(tmp_path: Path) -> None:
    link = Link()
    link.partner(tmp_path)
    link.take()
    link.partner(tmp_path, replace(SHOWN, pipelines=("door",)))
    (_, removing), (_, after), _ = link.take()
    assert removing["components"]["yard-problem"] == {"platform": "binary_sensor"}
    assert removing["components"]["door-label"] == after["components"]["door-label"]
    assert not [name for name in after["components"] if name.startswith("yard")]
    link.partner(tmp_path, replace(SHOWN, pipelines=("door",)))
    assert len(link.take()) == 2


def test_with_another_prefix_the_device_moves(tmp_path: Path) -> None:
    link = Link()
    link.partner(tmp_path)
    link.take()
    link.partner(tmp_path, replace(SHOWN, prefix="home"))
    sent = link.take()
    assert sent[0] == ("ha/device/gate-1/config", None)
    assert sent[1][0] == "home/device/gate-1/config"


def test_a_removal_is_forgotten_once_the_broker_has_it_and_not_before(tmp_path: Path) -> None:
    link = Link()
    link.partner(tmp_path)
    link.take()
    link.partner(tmp_path, enabled=False)
    assert link.take() == [("edge/v1/north/d/gate-1/up/ha", None), ("ha/device/gate-1/config", None)]
    off = link.partner(tmp_path, enabled=False)
    assert len(link.sent) == 2
    off.take(LinkPublished(token=2), 1.0)
    link.take()
    off.take(UP, 2.0)
    off.tick(2.0)
    assert link.take() == []
    link.partner(tmp_path, enabled=False)
    assert link.take() == []


def test_a_note_that_is_damaged_removes_nothing_and_is_written_anew(tmp_path: Path) -> None:
    for odd in (b"", b"[]", b'{"topic": 1, "components": {}}', b'{"topic": "x", "components": {"a": 2}}'):
        (tmp_path / "home-assistant.json").write_bytes(odd)
        link = Link()
        link.partner(tmp_path)
        assert len(link.take()) == 2


def test_the_state_has_numbers_and_labels_and_nothing_of_pictures_or_errors() -> None:
    found = state(STATUS)
    assert found["temperature_c"] == 51.24
    assert found["pipelines"]["door"] == {
        "state": "running",
        "fps": 9.88,
        "p99_ms": None,
        "label": "dog",
        "count": 4,
        "problem": "OFF",
    }
    assert found["pipelines"]["yard"]["problem"] == "ON"
    text = orjson.dumps(found)
    assert b"anna" not in text
    assert b"box" not in text


def test_items_that_say_anything_at_all_make_a_state() -> None:
    scores: list[Any] = ["high", [1], {}, True, None, 1 << 63, float("nan"), 0.5]
    odd = [{"label": "cat", "score": one} for one in scores]
    door = {**STATUS["pipelines"][0], "last": {"items": [*odd, {"label": 7}, {}], "more": 0}}
    found = state({**STATUS, "pipelines": [door]})
    assert (found["pipelines"]["door"]["label"], found["pipelines"]["door"]["count"]) == ("cat", 10)
