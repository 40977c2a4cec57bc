"""The infer thread with a backend that moves between delegates, and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.errors import DelegateLost
from tests.simulators.small_engine import AddOne
from tests.simulators.small_runner import Bench

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.types import Array


class Moving(AddOne):
    """A backend that moves to another delegate with the frames of these contents, and has news of it."""

    def __init__(self, *at: int, away: int = -1) -> None:
        super().__init__(0.0)
        self.at = at
        self.away = away
        self.due: list[dict[str, Any]] = []
        self.settled: list[int] = []

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        if tensors[0][0] in self.at:
            self.due.append({"type": "moved", "with": int(tensors[0][0])})
        if tensors[0][0] == self.away:
            raise DelegateLost("infer on", "liar", "it is away")
        return super().infer(tensors)

    def news(self) -> Sequence[Mapping[str, Any]]:
        taken, self.due = self.due, []
        return taken

    def tend(self, *, idle: bool, settled_ns: int) -> Sequence[Mapping[str, Any]]:
        assert idle in {True, False}
        self.settled.append(settled_ns)
        return self.news()


def moving(script: Sequence[int], backend: Moving, *, live: bool = False) -> Bench:
    bench = Bench(script, live=live, backend=backend)
    engine = replace(bench.slot.engine, tending=backend)
    bench.slot.swap(engine)
    bench.runner._engine = engine
    return bench


def test_what_a_backend_has_to_say_goes_after_the_records_before_it_and_before_the_one_with_it() -> None:
    backend = Moving(2, 5)
    bench = moving(range(7), backend)
    bench.run()
    assert [(count, message["with"]) for count, message in bench.said] == [(2, 2), (5, 5)]
    assert [record["frame"] for record in bench.records] == list(range(7))
    assert backend.settled == sorted(backend.settled)
    assert backend.settled[-1] > 0


def test_a_frame_that_has_no_answer_as_its_accelerator_is_away_is_counted_and_the_next_goes_on() -> None:
    bench = moving(range(5), Moving(3, away=3))
    bench.run()
    kinds = ["sum", "sum", "sum", "failed", "sum"]
    assert [record["kind"] for record in bench.records] == kinds
    assert [count for count, _ in bench.said] == [3]
    assert bench.packets[-1][0].failed == {"accelerator": 1}
