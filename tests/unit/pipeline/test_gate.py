"""Frames that are held back: evenly, at no more than the rate, and each of them counted."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ledger import Ledger
from agent.pipeline.capture import Capture
from agent.pipeline.gate import Gate
from agent.pipeline.slot import Slot
from tests.simulators.clocks import ManualClock
from tests.simulators.scripted_source import ScriptedSource
from tests.simulators.small_engine import engine


def passed(gate: Gate, clock: ManualClock, gaps: list[float]) -> list[float]:
    """Give the times of the live frames that pass, of some that come after these gaps."""
    found = []
    for gap in gaps:
        clock.now += gap
        if not gate.shuts():
            found.append(clock.now)
    return found


def limited(fps: float | None, *, paused: bool = False) -> tuple[Gate, ManualClock]:
    clock = ManualClock()
    gate = Gate(clock.monotonic)
    gate.set(fps, paused=paused)
    return gate, clock


def test_a_pipelines_own_rate_holds_whatever_else_it_is_held_to() -> None:
    clock = ManualClock()
    gate = Gate(clock.monotonic, most_fps=10)
    assert not gate.open
    assert len(passed(gate, clock, [1 / 30] * 300)) == pytest.approx(100, abs=2)
    gate.set(5, paused=False)
    assert len(passed(gate, clock, [1 / 30] * 300)) == pytest.approx(50, abs=2)
    gate.set(20, paused=False)
    assert len(passed(gate, clock, [1 / 30] * 300)) == pytest.approx(100, abs=2)
    gate.set(None, paused=False)
    assert not gate.open
    assert len(passed(gate, clock, [1 / 30] * 300)) == pytest.approx(100, abs=2)


@pytest.mark.parametrize(("source", "fps"), [(30, 15), (30, 7.5), (25, 10), (30, 29), (50, 1)])
def test_a_live_source_comes_through_at_the_rate_that_it_is_held_to(source: float, fps: float) -> None:
    gate, clock = limited(fps)
    times = passed(gate, clock, [1 / source] * round(source * 60))
    assert len(times) == pytest.approx(fps * 60, abs=2)


def test_frames_that_pass_are_evenly_spaced() -> None:
    gate, clock = limited(15)
    times = passed(gate, clock, [1 / 30] * 600)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) - min(gaps) < 1e-6


@settings(deadline=None)
@given(
    st.lists(st.floats(0.001, 2.0), max_size=200), st.floats(0.5, 60), st.floats(0.5, 60), st.integers(0, 200)
)
def test_never_more_pass_than_the_rate_allows_and_never_two_at_once(
    gaps: list[float], fps: float, other: float, change: int
) -> None:
    gate, clock = limited(fps)
    times = passed(gate, clock, gaps[:change])
    assert len(times) <= (clock.now - times[0]) * fps + 1.5 if times else True
    assert all(b - a >= 0.33 / fps for a, b in itertools.pairwise(times))
    gate.set(other, paused=False)
    began = clock.now
    times = passed(gate, clock, gaps[change:])
    assert len(times) <= (clock.now - began) * other + 1.5


def test_a_source_that_is_slower_than_the_limit_loses_nothing() -> None:
    gate, clock = limited(15)
    assert len(passed(gate, clock, [0.1] * 100)) == 100


def test_none_passes_while_it_is_paused_and_all_do_when_nothing_limits() -> None:
    gate, clock = limited(5, paused=True)
    assert passed(gate, clock, [0.1] * 100) == []
    assert not gate.open
    gate.set(None, paused=False)
    assert gate.open


def test_a_higher_rate_holds_at_once_whatever_was_due_before() -> None:
    gate, clock = limited(0.01)
    assert len(passed(gate, clock, [0.1] * 10)) == 1
    gate.set(10, paused=False)
    assert len(passed(gate, clock, [0.1] * 10)) >= 9


class Bench:
    """A capture behind a gate, and a thread that infers."""

    def __init__(self, script: list[int | None], *, live: bool) -> None:
        self.slot = Slot(engine())
        self.gate = Gate()
        self.stop = threading.Event()
        self.capture = Capture(
            open_source=lambda start: ScriptedSource(script, start=start, live=live),
            slot=self.slot,
            reporter=self,
            beat=lambda _: None,
            stop=self.stop,
            gate=self.gate,
        )
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        self.capture.run()
        self.slot.end()

    def opened(self, *, live: bool) -> None: ...

    def lost(self, problem: str) -> None: ...

    def refused(self, reason: str, problem: str) -> None: ...

    def captured(self, count: int) -> None: ...

    def run(self) -> list[int]:
        taken = []
        self.thread.start()
        while not self.slot.over:
            if item := self.slot.take(0.5):
                taken.append(item.info.seq)
                self.slot.settle(item)
        self.thread.join()
        return taken


def test_the_ledger_balances_with_gated_frames() -> None:
    bench = Bench([1] * 500, live=True)
    bench.gate.set(0.001, paused=False)
    taken = bench.run()
    ledger = bench.slot.ledger()
    assert ledger == Ledger(captured=500, inferred=1, gated=499)
    assert ledger.balanced
    assert taken == [0]


def test_a_recording_is_slowed_and_loses_no_frame() -> None:
    bench = Bench([1] * 20, live=False)
    bench.gate.set(100, paused=False)
    began = time.monotonic()
    assert bench.run() == list(range(20))
    assert time.monotonic() - began > 0.15
    assert bench.slot.ledger() == Ledger(captured=20, inferred=20)


def test_a_recording_that_is_paused_stops_when_it_is_told_to_and_goes_on_when_it_may() -> None:
    bench = Bench([1] * 20, live=False)
    bench.gate.set(None, paused=True)
    bench.thread.start()
    time.sleep(0.05)
    assert bench.slot.ledger().captured == 0
    bench.gate.set(None, paused=False)
    assert bench.slot.take(5) is not None
    bench.gate.set(None, paused=True)
    bench.stop.set()
    bench.thread.join(5)
    assert not bench.thread.is_alive()
