"""How long records take through the store, and what of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.store.reports import Acked, Buffered, Committed
from agent.supervision.passage import _MARKS, Passage
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.blocks import Stream

EPOCH, OLDER = "e" * 16, "d" * 16


class Store:
    """Counts what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[Stream, int]] = []

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        self.given.append((stream, len(records)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def passage(clock: ManualClock) -> Passage:
    return Passage(Store(), clock)


def spans(passage: Passage) -> dict[str, list[float]]:
    taken = passage.spans.take()
    return {name: [one.count, round(one.max_us / 1e6, 3)] for name, one in taken.items()}


def test_each_put_is_timed_to_its_commit_and_each_commit_to_its_acknowledgement(
    passage: Passage, clock: ManualClock
) -> None:
    passage.put([{}, {}], {})
    clock.tick(0.2)
    passage.put([{}], {})
    clock.tick(0.3)
    passage.take(Committed("result", EPOCH, 3, 3), clock.now)
    assert spans(passage) == {"commit.result": [2, 0.5]}
    clock.tick(2.0)
    passage.take(Acked("result", EPOCH, 3, 3), clock.now)
    assert spans(passage) == {"deliver.result": [1, 2.0]}


def test_a_half_committed_put_waits_and_streams_do_not_mix(passage: Passage, clock: ManualClock) -> None:
    passage.put([{}, {}], {}, "result")
    passage.put([{}], {}, "alert")
    passage.put([], {}, "metric")
    passage.take(Committed("result", EPOCH, 1, 1), clock.now)
    assert spans(passage) == {}
    passage.take(Committed("alert", EPOCH, 1, 1), clock.now)
    assert spans(passage) == {"commit.alert": [1, 0]}


def test_what_an_earlier_start_left_is_not_taken_for_ours(passage: Passage, clock: ManualClock) -> None:
    passage.put([{}], {})
    passage.take(Committed("result", EPOCH, 1, 1), clock.now)
    passage.take(Acked("result", OLDER, 900, 900), clock.now)
    passage.take(Buffered(), clock.now)
    assert spans(passage) == {"commit.result": [1, 0]}


def test_a_record_that_was_delivered_from_memory_has_no_commit(passage: Passage, clock: ManualClock) -> None:
    passage.put([{}], {})
    passage.take(Committed("result", EPOCH, 1, 1), clock.now)
    passage.put([{}], {})
    passage.take(Acked("result", EPOCH, 2, 2), clock.now)
    passage.take(Committed("result", EPOCH, 2, 1), clock.now)
    assert spans(passage)["commit.result"][0] == 1


def test_while_nothing_is_committed_the_marks_are_bounded(passage: Passage, clock: ManualClock) -> None:
    for _ in range(_MARKS + 50):
        passage.put([{}], {})
    passage.take(Committed("result", EPOCH, _MARKS + 50, 1), clock.now)
    assert spans(passage)["commit.result"][0] == _MARKS
    passage.put([{}], {})
    passage.take(Committed("result", EPOCH, _MARKS + 51, 1), clock.now)
    assert spans(passage)["commit.result"][0] == 1
