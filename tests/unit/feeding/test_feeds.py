"""The supervisor's side of shared sources: processes started, watched, ended, and workers connected."""

from __future__ import annotations

from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

import pytest

from agent.events import counters
from agent.types import Phase
from agent.workers.heartbeat import Slot
from tests.simulators.puppet_capture import Booth

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def booth() -> Iterator[Booth]:
    made = Booth()
    yield made
    made.bury()


def connected(booth: Booth) -> list[str]:
    """Name those that the process was told to let in since the last call."""
    return [one["pipeline"] for one in booth.process.heard() if one["type"] == "connect" and one["with"] == 1]


def fed(booth: Booth, name: str) -> int:
    """How many connections a worker was given since the last call."""
    return sum(one["type"] == "feed" for one in booth.worker(name).heard())


def test_a_source_has_a_process_while_a_pipeline_is_there_to_read_it(booth: Booth) -> None:
    booth.turn()
    assert booth.born == []
    assert booth.status()["state"] == "stopped"
    assert booth.feeds.idle
    booth.begin("a", "b")
    assert len(booth.born) == 1
    assert connected(booth) == ["a", "b"]
    assert (fed(booth, "a"), fed(booth, "b")) == (1, 1)
    assert booth.feeds.pids() == {4000}
    booth.process.say({"type": "opened", "live": True})
    booth.turn()
    assert (booth.status()["state"], booth.status()["live"]) == ("open", True)
    for lane in booth.lanes.values():
        lane.stop(booth.clock.now)
        booth.worker(lane.name).die(0)
        lane.reap(booth.clock.now)
    booth.turn()
    assert {"type": "stop"} in booth.process.heard()
    booth.process.die(0)
    booth.turn(1)
    assert booth.keeper.life is None
    assert booth.feeds.idle
    assert booth.status()["restarts"] == 0


def test_a_worker_or_a_process_that_is_new_gets_a_new_connection(booth: Booth) -> None:
    booth.begin("a", "b")
    connected(booth)
    fed(booth, "a")
    fed(booth, "b")
    booth.turn()
    assert fed(booth, "a") == 0
    booth.worker("a").die(1)
    booth.lanes["a"].reap(booth.clock.now)
    booth.turn(0.2)
    booth.lanes["a"].tick(booth.clock.now)
    booth.worker("a").ready(live=True)
    booth.lanes["a"].receive()
    booth.turn()
    assert connected(booth) == ["a"]
    assert (fed(booth, "a"), fed(booth, "b")) == (1, 0)
    booth.process.die(-9)
    booth.turn(0.01)
    assert booth.keeper.life is None
    assert booth.feeds.next_tick(booth.clock.now) == [pytest.approx(0.1, abs=0.02)]
    booth.turn(0.2)
    assert len(booth.born) == 2
    assert connected(booth) == ["a", "b"]
    assert (fed(booth, "a"), fed(booth, "b")) == (1, 1)
    assert booth.status()["problem"] == "ended by SIGKILL"


def test_the_process_is_told_whom_a_recording_waits_for(booth: Booth) -> None:
    booth.begin("a", "b")
    booth.process.heard()
    booth.lanes["b"].stop(booth.clock.now)
    booth.worker("b").die(0)
    booth.lanes["b"].reap(booth.clock.now)
    booth.turn()
    assert booth.process.heard() == [{"type": "readers", "pipelines": ["a"]}]


@pytest.mark.parametrize(
    ("slot", "phase", "limit_s"),
    [
        (Slot.INFER, Phase.WAIT, 3.5),
        (Slot.INFER, Phase.START, 30),
        (Slot.CAPTURE, Phase.OPEN, 6),
        (Slot.CAPTURE, Phase.CAPTURE, 4),
    ],
)
def test_a_process_that_hangs_is_ended_by_ever_harder_signals_and_started_again(
    booth: Booth, slot: Slot, phase: Phase, limit_s: float
) -> None:
    booth.begin("a")
    began = booth.clock.now
    beating = slot is not Slot.INFER
    booth.process.beat(slot, phase, began)
    booth.turn(limit_s - 0.5, beating=beating)
    booth.turn(0.25, beating=beating)
    assert booth.process.signals == []
    booth.turn(0.5, beating=beating)
    assert booth.process.signals == [], "the whole machine may have stood still"
    booth.turn(0.25, beating=beating)
    assert booth.process.signals == [SIGTERM]
    booth.turn(0.3, beating=beating)
    assert booth.process.signals == [SIGTERM, SIGKILL]
    booth.process.die(-9)
    booth.turn(0.01)
    assert "it hung in" in booth.status()["problem"]
    booth.turn(0.2)
    assert (len(booth.born), booth.status()["restarts"]) == (2, 1)


def test_what_only_seemed_to_hang_is_left_alone(booth: Booth) -> None:
    booth.begin("a")
    booth.process.beat(Slot.INFER, Phase.WAIT, booth.clock.now)
    booth.turn(10, beating=False)
    booth.turn(0.25)
    booth.turn(0.25)
    assert booth.process.signals == []


def test_a_process_that_no_signal_ends_is_told_and_never_started_twice(booth: Booth) -> None:
    booth.begin("a")
    before = counters["capture.stuck"]
    booth.process.beat(Slot.CAPTURE, Phase.CAPTURE, booth.clock.now)
    for _ in range(60):
        booth.turn(0.25)
    assert counters["capture.stuck"] == before + 1
    assert booth.status()["state"] == "stuck"
    assert len(booth.born) == 1
    assert booth.feeds.idle


def test_a_machine_that_cannot_start_a_process_is_asked_again_later(booth: Booth) -> None:
    booth.broken = True
    booth.begin("a")
    assert booth.status()["state"] == "backoff"
    assert "cannot start a process" in booth.status()["problem"]
    booth.turn(0.05)
    booth.broken = False
    booth.turn(0.1)
    assert len(booth.born) == 1


def test_a_source_that_is_away_ended_or_refused_is_shown_so(booth: Booth) -> None:
    booth.begin("a")
    assert booth.status()["state"] == "opening"
    booth.process.say({"type": "lost", "problem": "open camera: there is none"})
    booth.turn()
    assert (booth.status()["state"], booth.status()["problem"]) == ("away", "open camera: there is none")
    booth.process.say({"type": "opened", "live": False})
    booth.process.say({"type": "ended", "remark": ""})
    booth.turn()
    assert (booth.status()["state"], booth.status()["problem"]) == ("ended", None)


@pytest.mark.parametrize("packet", [b"x", b'{"type":"results"}'])
def test_a_process_that_breaks_the_protocol_is_ended(booth: Booth, packet: bytes) -> None:
    booth.begin("a")
    booth.process.say(packet)
    booth.turn()
    assert booth.process.signals == [SIGKILL]


def test_why_a_process_ends_is_what_it_said_last(booth: Booth) -> None:
    booth.begin("a")
    booth.process.say(
        {"type": "fault", "error": "LaneCrashed", "op": "open", "subject": "x", "problem": "new"}
    )
    booth.process.die(1)
    booth.turn()
    assert booth.status()["problem"] == "open x: new"


def test_those_that_share_a_source_have_equal_parts_of_its_cpu_time(booth: Booth) -> None:
    booth.begin("a", "b")
    first, second = booth.feeds.cpu_seconds("a"), booth.feeds.cpu_seconds("b")
    assert second == pytest.approx(first, abs=0.2)
    assert first > 0
    assert booth.feeds.cpu_seconds("c") == 0
