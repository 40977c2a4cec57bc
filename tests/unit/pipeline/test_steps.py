"""What a result passes between decoder and socket: each frame ends in one account, whatever a step does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import BackendFault, InputRejected
from agent.ledger import Ledger
from agent.pipeline.steps import Filtering
from tests.simulators.small_runner import Bench

if TYPE_CHECKING:
    from agent.pipeline.slot import Item
    from agent.screening import Filter
    from agent.types import FrameInfo, Result


class Seen:
    """Adds an event with its name; holds back one frame, and cannot read another."""

    def __init__(self, name: str, *, holds: int = -1, refuses: int = -1) -> None:
        self.name, self.holds, self.refuses = name, holds, refuses

    def apply(self, result: Result, frame: FrameInfo) -> Result | None:
        if frame.seq == self.refuses:
            raise InputRejected("read", "box", "it is none", "Check the decoder")
        if frame.seq == self.holds:
            return None
        return replace(result, events=(*result.events, {"event": f"{self.name}.seen"}))


def bench(*filters: Filter, live: bool = False) -> Bench:
    kinds = ("first", "second")
    steps = [Filtering(tuple(zip(kinds, filters, strict=False)))]
    made = Bench([1, 2, 3], live=live, steps=steps)
    made.run()
    return made


def test_filters_see_a_result_in_their_order() -> None:
    records = bench(Seen("one"), Seen("two")).records
    assert [record["frame"] for record in records] == [0, 1, 2]
    assert records[0]["events"] == [{"event": "one.seen"}, {"event": "two.seen"}]


def test_a_result_that_is_held_back_is_counted_by_the_kind_of_its_filter_and_no_other_sees_it() -> None:
    made = bench(Seen("one", holds=1), Seen("two", refuses=1))
    assert [record["frame"] for record in made.records] == [0, 2]
    assert made.packets[-1][0] == Ledger(captured=3, inferred=2, filtered={"first": 1})


def test_a_result_that_a_filter_cannot_read_fails_its_frame() -> None:
    made = bench(Seen("one"), Seen("two", refuses=1))
    assert [record["kind"] for record in made.records] == ["sum", "failed", "sum"]
    assert made.records[1]["items"][0]["reason"] == "filter"
    assert made.packets[-1][0] == Ledger(captured=3, inferred=2, failed={"filter": 1})


class Faulty:
    """A further model whose runtime fails."""

    reason = "stage"

    def __call__(self, item: Item, result: Result) -> Result:
        if item.info.seq == 1:
            raise BackendFault("infer", "model", "the runtime is gone", "Start anew")
        return result


def test_a_fault_of_a_further_models_runtime_ends_it_after_everything_settled_is_sent() -> None:
    made = Bench([1, 2, 3], steps=[Faulty()])
    with pytest.raises(BackendFault, match="the runtime is gone"):
        made.run()
    ledger, _ = made.packets[-1]
    assert (ledger.inferred, ledger.failed) == (1, {"stage": 1})
