from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.errors import BackendFault, InputRejected, SourceEnded, SourceLost
from agent.ledger import Ledger
from agent.pipeline.capture import Capture
from agent.pipeline.health import Unwell
from agent.pipeline.slot import BUFFERS, Item, Slot
from agent.screening import Admission
from agent.types import WHOLE, Frame, Phase
from tests.simulators.scripted_source import ScriptedSource
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.types import Array, Box
    from tests.simulators.scripted_source import Step

BAD = InputRejected("read picture", "b.jpg", "it is torn", "Copy it again")
GONE = SourceLost("read", "/dev/video0", "unplugged", "Plug it in")


class Bench:
    """A capture with scripted sources, and somebody who takes what it gives."""

    def __init__(self, *scripts: Iterable[Step] | Exception, live: bool = False, **options: object) -> None:
        self.scripts = list(scripts)
        self.live = live
        self.slot = Slot(engine(prepare=self.prepare))
        self.buffers = self.slot.engine.buffers
        self.stop = threading.Event()
        self.sources: list[ScriptedSource] = []
        self.starts: list[int] = []
        self.beats: list[Phase] = []
        self.told: list[object] = []
        self.regions: list[Box] = []
        self.capture = Capture(
            open_source=self.open,
            slot=self.slot,
            reporter=self,
            beat=self.beats.append,
            stop=self.stop,
            **options,  # type: ignore[arg-type]
        )

    def open(self, start: int) -> ScriptedSource:
        self.starts.append(start)
        script = self.scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        self.sources.append(ScriptedSource(script, start=start, live=self.live))
        return self.sources[-1]

    def prepare(self, frame: Frame, into: Sequence[Array], region: Box = WHOLE) -> None:
        if frame.data[0] < 0:
            raise InputRejected("prepare input", "x", "negative")
        self.regions.append(region)
        np.copyto(into[0], frame.data)

    def opened(self, *, live: bool) -> None:
        self.told.append(("opened", live))

    def lost(self, problem: str) -> None:
        self.told.append(("lost", problem))

    def refused(self, reason: str, problem: str) -> None:
        self.told.append((reason, problem))

    def captured(self, count: int) -> None:
        self.told.append(count)

    def run(self) -> tuple[str, list[tuple[int, float, Item]]]:
        """Capture in a thread to the end; give the remark, and what was taken: number, content, item."""
        remarks: list[str] = []

        def work() -> None:
            remarks.append(self.capture.run())
            self.slot.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        taken = []
        while not self.slot.over:
            if item := self.slot.take(0.5):
                taken.append((item.info.seq, float(self.buffers[item.index][0][0]), item))
                self.slot.settle(item, "x" if item.error else "")
        thread.join()
        return remarks[0], taken


@pytest.fixture(autouse=True)
def _reopen_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.reopening._FIRST_S", 0.002)
    monkeypatch.setattr("agent.reopening._LONGEST_S", 0.004)


def test_frames_of_a_recording_arrive_in_order_each_in_its_buffer() -> None:
    bench = Bench([5, None, 6, 7, None, 8])
    remark, taken = bench.run()
    assert remark == "the script is over"
    assert [(seq, content) for seq, content, _ in taken] == [(0, 5), (1, 6), (2, 7), (3, 8)]
    info = taken[1][2].info
    assert (info.captured_ns, info.height, info.width, info.origin) == (1001, 2, 1, "frame-1")
    assert bench.slot.ledger() == Ledger(captured=4, inferred=4)
    assert bench.sources[0].closed == 1


def test_the_count_of_captured_frames_is_told_at_each_one() -> None:
    bench = Bench([1, BAD, -1, 1])
    bench.run()
    assert bench.told == [("opened", False), 1, 2, 3, 4]


def test_the_thread_that_reads_closes() -> None:
    bench = Bench([1, 2])
    bench.run()
    [name] = bench.sources[0].threads
    assert name != threading.current_thread().name


def test_it_begins_where_it_is_told() -> None:
    bench = Bench([1, 2], start=40)
    _, taken = bench.run()
    assert (bench.starts, [seq for seq, _, _ in taken]) == ([40], [40, 41])


def test_a_frame_of_a_recording_that_cannot_be_read_is_handed_over_with_its_error() -> None:
    bench = Bench([1, BAD, -1, 2])
    before = time.monotonic_ns()
    _, taken = bench.run()
    items = [item for _, _, item in taken]
    assert [item.info.seq for item in items] == [0, 1, 2, 3]
    assert [item.reason for item in items] == ["", "unreadable", "input", ""]
    assert items[1].error is BAD
    assert items[1].info.origin == "b.jpg"
    assert before <= items[1].info.captured_ns <= time.monotonic_ns()
    assert (items[2].info.captured_ns, items[2].info.origin) == (1002, "frame-2")
    assert bench.slot.ledger() == Ledger(captured=4, inferred=2, failed={"x": 2})


def test_a_frame_of_a_camera_that_cannot_be_read_is_a_count() -> None:
    bench = Bench([BAD, -1, BAD, 2], live=True)
    _, taken = bench.run()
    assert [seq for seq, _, _ in taken] == [3]
    assert bench.slot.ledger() == Ledger(captured=4, inferred=1, failed={"unreadable": 2, "input": 1})
    # Why is told, but not of each: the others follow at once.
    assert [one for one in bench.told if not isinstance(one, int)][1:] == [("unreadable", str(BAD))]


def test_a_source_that_is_lost_is_opened_again_where_it_stopped() -> None:
    bench = Bench([1, 2, GONE], GONE, GONE, [3, GONE], [4], live=False)
    remark, taken = bench.run()
    assert remark == "the script is over"
    assert bench.starts == [0, 2, 2, 2, 3]
    assert [(seq, content) for seq, content, _ in taken] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert [source.closed for source in bench.sources] == [1, 1, 1]
    lost = ("lost", str(GONE))
    opened = ("opened", False)
    assert bench.told == [opened, 1, 2, lost, lost, lost, opened, 3, lost, opened, 4]


def test_a_lost_source_is_closed_before_the_wait() -> None:
    bench = Bench([1, GONE], [2])
    closed: list[int] = []
    bench.lost = lambda problem: closed.append(bench.sources[0].closed)  # type: ignore[method-assign]
    bench.run()
    assert closed == [1]


def test_where_once_is_asked_for_a_lost_source_ends_it() -> None:
    bench = Bench([1, GONE], once=True)
    with pytest.raises(SourceLost, match="unplugged"):
        bench.capture.run()
    assert bench.sources[0].closed == 1


@pytest.mark.parametrize("once", [True, False])
def test_where_once_is_asked_for_a_live_source_drops_nothing(once: bool) -> None:
    bench = Bench([1, SourceEnded("over")], live=True, once=once)
    bench.capture.run()
    assert bench.slot.live is not once


def test_a_stop_while_a_source_is_away_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.reopening._FIRST_S", 60.0)
    monkeypatch.setattr("agent.reopening._LONGEST_S", 60.0)
    bench = Bench(GONE)
    timer = threading.Timer(0.02, bench.stop.set)
    timer.start()
    began = time.monotonic()
    assert bench.run() == ("", [])
    assert time.monotonic() - began < 10
    timer.join()


def test_a_stop_ends_the_reading_and_leaves_no_frame_half_counted() -> None:
    bench = Bench(itertools.repeat(None))
    timer = threading.Timer(0.02, bench.stop.set)
    timer.start()
    assert bench.run() == ("", [])
    timer.join()
    assert bench.slot.ledger() == Ledger()
    assert len(bench.slot._free) == BUFFERS
    assert bench.sources[0].closed == 1


def test_a_stop_before_the_start_opens_nothing() -> None:
    bench = Bench()
    bench.stop.set()
    assert bench.run() == ("", [])
    assert bench.starts == []


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_is_kept_and_failed_frames_count(limit: int) -> None:
    bench = Bench([BAD, 1, 2, 3, 4], limit=limit)
    _, taken = bench.run()
    assert len(taken) == limit
    assert bench.slot.ledger().captured == limit


def test_every_buffer_is_free_again_at_the_end() -> None:
    bench = Bench([1, None, BAD, -1, 2, GONE], [3, BAD, SourceEnded("over")])
    bench.run()
    assert sorted(bench.slot._free) == list(range(BUFFERS))


def test_an_error_that_nobody_expects_goes_on_and_the_source_is_closed() -> None:
    bench = Bench([1, BackendFault("a", "b", "c")])
    with pytest.raises(BackendFault):
        bench.capture.run()
    assert bench.sources[0].closed == 1


def test_each_step_is_shown_before_it_is_taken_and_none_after_the_end() -> None:
    bench = Bench([1, BAD, GONE], [2])
    bench.run()
    assert bench.beats == [
        Phase.OPEN,
        *(Phase.WAIT, Phase.CAPTURE, Phase.PREPROCESS),
        *(Phase.WAIT, Phase.CAPTURE),
        *(Phase.WAIT, Phase.CAPTURE),
        Phase.WAIT,
        Phase.OPEN,
        *(Phase.WAIT, Phase.CAPTURE, Phase.PREPROCESS),
        *(Phase.WAIT, Phase.CAPTURE),
        Phase.NONE,
    ]


@pytest.mark.parametrize("keep", [True, False])
def test_pixels_are_kept_only_where_somebody_wants_them_and_outlive_the_sources_buffer(keep: bool) -> None:
    bench = Bench([1, 2], keep_pixels=keep)
    _, taken = bench.run()
    kept = [None if item.pixels is None else float(item.pixels[0]) for _, _, item in taken]
    assert kept == ([1, 2] if keep else [None, None])


def twice(frame: Frame) -> Frame:
    """Pass a frame on at twice its value, except for one that shows nothing."""
    if frame.data[0] == 0:
        raise Unwell("black", frame.origin)
    return Frame(frame.seq, frame.captured_ns, frame.data * 2, frame.origin)


def test_what_a_frame_passes_first_is_all_that_comes_after_it() -> None:
    bench = Bench([1, 2], prepare=twice, keep_pixels=True)
    _, taken = bench.run()
    assert [content for _, content, _ in taken] == [2, 4]
    assert [float(item.pixels[0]) for _, _, item in taken if item.pixels is not None] == [2, 4]


@pytest.mark.parametrize("live", [True, False])
def test_a_frame_of_a_camera_that_is_unwell_fails_for_that_fault(live: bool) -> None:
    bench = Bench([0, 3, 0], prepare=twice, live=live)
    _, taken = bench.run()
    reasons = [item.reason for _, _, item in taken]
    assert reasons == ([""] if live else ["black", "", "black"])
    ledger = bench.slot.ledger()
    assert ledger.balanced
    assert ledger.captured == 3
    assert sum(ledger.failed.values()) == 2
    assert sorted(bench.slot._free) == list(range(BUFFERS))


def test_the_model_is_shown_the_region_that_a_gate_proposes() -> None:
    bench = Bench([1, 2], admit=lambda _: Admission((0.5, 0, 1, 1)))
    _, taken = bench.run()
    assert bench.regions == [(0.5, 0, 1, 1)] * 2
    assert [item.info.region for _, _, item in taken] == bench.regions
