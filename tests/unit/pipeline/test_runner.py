"""The infer thread, against the small parts of tests/simulators/small_runner.py."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.errors import BackendFault, SourceLost
from agent.ledger import Ledger
from agent.pipeline.engine import Engine
from agent.pipeline.slot import BUFFERS
from agent.processes.ipc import MAX_PACKET
from agent.types import WHOLE, Phase
from tests.simulators.scripted_source import ScriptedSource
from tests.simulators.small_engine import BAD, FAULTY, LONG, UNDECODABLE, WRONG, AddOne, Read, Watch, engine
from tests.simulators.small_runner import Bench

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.histogram import Histogram
    from agent.pipeline.slot import Item
    from agent.types import Array, Box, Frame
    from tests.simulators.scripted_source import Step


def test_every_frame_of_a_recording_has_its_record() -> None:
    bench = Bench([10, 20, 30])
    assert bench.run() == "the script is over"
    assert [(r["frame"], r["kind"], r["items"][0]["value"]) for r in bench.records] == [
        (0, "sum", 11),
        (1, "sum", 21),
        (2, "sum", 31),
    ]
    first = bench.records[0]
    assert (first["captured_ns"], first["origin"]) == (1000, "frame-0")
    assert first["infer_us"] >= 0
    assert bench.packets[-1][0] == Ledger(captured=3, inferred=3)
    assert bench.drawn == [(0, 10), (1, 20), (2, 30)]
    assert bench.source.closed == 1


def test_the_duration_is_that_of_the_inference() -> None:
    bench = Bench([1], seconds=0.02)
    bench.run()
    assert 20_000 <= bench.records[0]["infer_us"] < 1_000_000


@pytest.mark.parametrize(
    ("step", "reason", "said"),
    [
        (BAD, "unreadable", "read picture b.jpg: it is torn. Copy it again"),
        (UNDECODABLE, "decode", "decode x: no such class"),
        (WRONG, "input", "run model m: wrong shape"),
        (LONG, "too_large", "too large. Raise min_score"),
    ],
)
def test_a_frame_of_a_recording_that_fails_is_an_answer_too(step: Step, reason: str, said: str) -> None:
    bench = Bench([1, step, 2])
    bench.run()
    assert [r["kind"] for r in bench.records] == ["sum", "failed", "sum"]
    [why] = bench.records[1]["items"]
    assert why["reason"] == reason
    assert said in why["problem"]
    assert bench.packets[-1][0] == Ledger(captured=3, inferred=2, failed={reason: 1})


@pytest.mark.parametrize(("step", "reason"), [(UNDECODABLE, "decode"), (WRONG, "input"), (LONG, "too_large")])
def test_a_frame_of_a_camera_that_fails_is_a_count(step: Step, reason: str) -> None:
    bench = Bench([step], live=True)
    bench.run()
    assert bench.records == []
    assert bench.packets[-1][0] == Ledger(captured=1, failed={reason: 1})


@pytest.mark.parametrize("live", [True, False])
def test_a_fault_of_the_runtime_ends_it_after_everything_settled_is_sent(live: bool) -> None:
    script: list[Step] = [FAULTY] if live else [1, 2, FAULTY, 3, 4]
    bench = Bench(script, live=live)
    with pytest.raises(BackendFault, match="the delegate is gone"):
        bench.run()
    ledger, _ = bench.packets[-1]
    assert ledger.failed == {"backend": 1}
    assert ledger.inferred == (0 if live else 2)
    assert [r["kind"] for r in bench.records] == ([] if live else ["sum", "sum", "failed"])


def test_what_ends_the_capture_is_raised_after_all_frames_are_sent() -> None:
    bench = Bench([1, 2, SourceLost("read", "cam", "unplugged")])
    with pytest.raises(SourceLost, match="unplugged"):
        bench.run()
    assert [r["frame"] for r in bench.records] == [0, 1]
    assert bench.packets[-1][0] == Ledger(captured=2, inferred=2)


def test_a_stop_settles_what_was_captured() -> None:
    bench = Bench(itertools.repeat(1), seconds=0.005)
    timer = threading.Timer(0.05, bench.stop.set)
    timer.start()
    assert bench.run() == ""
    timer.join()
    ledger, _ = bench.packets[-1]
    assert ledger.captured == ledger.inferred == len(bench.records)
    assert ledger.in_flight == 0


@pytest.mark.parametrize(
    ("milliseconds", "packets"), [(0.75, [1] + [27] * 7 + [10]), (8, [1] + [3] * 66 + [1]), (30, [1] * 200)]
)
def test_results_that_come_within_20_ms_of_the_last_packet_ride_together(
    monkeypatch: pytest.MonkeyPatch, milliseconds: float, packets: list[int]
) -> None:
    watch = Watch(milliseconds / 1000)
    monkeypatch.setattr("agent.pipeline.runner.time", watch)
    bench = Bench([1] * 200, backend=watch)
    bench.run()
    assert [len(records) for _, records in bench.packets if records] == packets


def test_the_first_result_does_not_wait() -> None:
    bench = Bench([1] * 50)
    bench.run()
    assert len(bench.packets[0][1]) == 1


def test_a_result_that_is_followed_by_nothing_leaves_soon() -> None:
    bench = Bench(itertools.chain([1, 2], itertools.repeat(None)))
    thread = threading.Thread(target=bench.run)
    thread.start()
    deadline = time.monotonic() + 30
    while len(bench.records) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    bench.stop.set()
    thread.join()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([1, 2, 3, BAD, UNDECODABLE, WRONG, LONG]), max_size=60), st.integers(0, 57_000)
)
@example([1, 2, 3], 55_000)
def test_every_ledger_goes_with_all_its_records_in_a_packet_that_fits(script: list[Step], size: int) -> None:
    bench = Bench(script, sizes={1: 10, 2: 20_000, 3: size})
    bench.run()
    told = 0
    for (ledger, records), sent in zip(bench.packets, bench.sizes, strict=True):
        told += len(records)
        assert ledger.balanced
        assert ledger.settled == told
        assert sent + len(records) < MAX_PACKET - 2048
    assert told == len(script)
    assert [record["frame"] for record in bench.records] == list(range(len(script)))


def test_an_idle_pipeline_sends_its_ledger_when_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.pipeline.runner._IDLE_S", 0.01)
    steps = iter([UNDECODABLE, *[None] * 3, UNDECODABLE])
    bench = Bench(pauses(steps), live=True)
    bench.run()
    assert [ledger.failed.get("decode", 0) for ledger, _ in bench.packets] == sorted(
        {ledger.failed.get("decode", 0) for ledger, _ in bench.packets}
    )
    assert bench.packets[-1][0] == Ledger(captured=2, failed={"decode": 2})


def pauses(steps: Iterable[Step]) -> Iterable[Step]:
    for step in steps:
        if step is None:
            time.sleep(0.02)
        yield step


def test_each_step_is_shown_before_it_is_taken() -> None:
    bench = Bench([1])
    bench.run()
    shown = [phase for at, phase in enumerate(bench.beats) if at == 0 or bench.beats[at - 1] is not phase]
    at = shown.index(Phase.INVOKE)
    assert shown[at - 1 : at + 3] == [Phase.WAIT, Phase.INVOKE, Phase.DECODE, Phase.SEND]


def test_each_inferred_frame_is_timed_in_every_stage_and_no_other_is() -> None:
    bench = Bench([1, BAD, 2, UNDECODABLE, 3], seconds=0.01)
    bench.run()
    send = bench.stages.pop("send")
    assert {name: one.count for name, one in bench.stages.items()} == dict.fromkeys(
        ("capture_wait", "preprocess", "queue", "infer", "decode", "total"), 3
    )
    assert send.count == len(bench.packets)
    assert bench.stages["infer"].percentile(0.0) >= 0.0098
    assert bench.stages["total"].percentile(0.0) >= bench.stages["infer"].percentile(0.0)


def test_timings_are_told_while_frames_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.pipeline.runner._TELL_S", 0.02)
    told: list[int] = []
    bench = Bench(range(20), seconds=0.005)

    def timings(stages: Mapping[str, Histogram]) -> None:
        told.append(stages["infer"].count if "infer" in stages else 0)

    monkeypatch.setattr(bench, "timings", timings)
    bench.run()
    assert len(told) > 2
    assert sum(told) == 20


def swapping(bench: Bench, at: int, count: int, other: Engine) -> Iterator[Step]:
    """Give frames, and swap just before the one with the number ``at`` is read."""
    for number in range(count):
        if number == at:
            bench.slot.swap(other)
        yield number


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 29), live=st.booleans())
def test_a_swap_parts_the_records_exactly_and_takes_no_frame(at: int, live: bool) -> None:
    other = engine(AddOne(0.0, plus=1001))
    bench = Bench([], live=live)
    bench.source = ScriptedSource(swapping(bench, at, 30, other), live=live)
    bench.run()
    [(sent, engine_)] = bench.turns
    assert engine_ is other
    plus = [record["items"][0]["value"] - record["frame"] for record in bench.records]
    assert plus == [1] * sent + [1001] * (len(plus) - sent)
    assert all((record["frame"] < at) == (number < sent) for number, record in enumerate(bench.records))
    ledger, _ = bench.packets[-1]
    assert (ledger.captured, ledger.failed, ledger.lost) == (30, {}, 0)
    assert ledger.balanced
    if not live:
        assert sent == at


def test_a_swap_is_told_although_no_frame_comes() -> None:
    other = engine()
    bench = Bench(itertools.chain([1], itertools.repeat(None)), live=True)
    thread = threading.Thread(target=bench.run)
    thread.start()
    bench.slot.swap(other)
    deadline = time.monotonic() + 30
    while not bench.turns:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    bench.stop.set()
    thread.join()
    assert [one for _, one in bench.turns] == [other]


def test_a_swap_to_another_shape_prepares_each_frame_for_its_own_model() -> None:
    wide = Engine(Wide(), Read({}), widened, [(np.zeros(5, np.float32),) for _ in range(BUFFERS)], {})
    bench = Bench([])
    bench.source = ScriptedSource(swapping(bench, 10, 20, wide), live=False)
    bench.run()
    assert [record["items"][0]["value"] for record in bench.records] == [
        number + 1 if number < 10 else 5 * number for number in range(20)
    ]


class Wide(AddOne):
    """A model of five numbers; it gives their sum."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        assert tensors[0].shape == (5,)
        return (tensors[0].sum(keepdims=True),)


def widened(frame: Frame, into: Sequence[Array], region: Box = WHOLE) -> None:
    into[0].fill(frame.data[0])


def test_a_result_that_came_late_makes_no_later_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(0.007)
    monkeypatch.setattr("agent.pipeline.runner.time", watch)
    bench = Bench([1], backend=watch)
    waits: list[float] = []
    take = bench.slot.take

    def patient(timeout_s: float) -> Item | None:
        waits.append(timeout_s)
        return take(0.01)

    monkeypatch.setattr(bench.slot, "take", patient)
    bench.runner._flushed = watch.now  # as if others had just been sent
    bench.run()
    assert round(waits[1], 6) == 0.013  # the rest of the 20 ms, and not as much again
