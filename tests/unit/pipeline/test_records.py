"""Records that would be too large: their events leave all the same."""

from __future__ import annotations

import orjson
import pytest

from agent.ledger import Ledger
from agent.pipeline.records import MAX_BYTES, record, shortened
from agent.pipeline.slot import Item
from agent.types import FrameInfo, Result
from tests.simulators.small_engine import engine
from tests.simulators.small_runner import Bench

ITEM = Item(0, FrameInfo(7, 9, 480, 640), engine())


def result(items: int, events: int) -> Result:
    found = tuple({"label": "person" * 30, "index": at} for at in range(items))
    return Result("detection", found, tuple({"event": "line.crossed", "track": at} for at in range(events)))


def test_a_crowd_of_items_does_not_hide_an_event() -> None:
    crowd = result(1000, 3)
    assert len(record(ITEM, crowd, 5)) > MAX_BYTES
    made = orjson.loads(shortened(ITEM, crowd, 5))
    assert (made["frame"], made["kind"], made["items"]) == (7, "detection", [])
    assert made["events"][:-1] == list(crowd.events)
    assert made["events"][-1] == {"event": "result.shortened", "items": 1000, "events": 0}


@pytest.mark.parametrize("events", [2000, 10_000, 100_000])
def test_the_first_of_too_many_events_are_kept_and_the_others_counted(events: int) -> None:
    made = shortened(ITEM, result(1, events), 5)
    assert len(made) <= MAX_BYTES
    *kept, last = orjson.loads(made)["events"]
    assert [one["track"] for one in kept] == list(range(len(kept)))
    assert last == {"event": "result.shortened", "items": 1, "events": events - len(kept)}


def test_a_frame_whose_result_is_too_large_is_inferred_with_its_events_and_fails_without_any() -> None:
    class Noticing:
        reason = "filter"

        def __call__(self, item: Item, found: Result) -> Result:
            return result(1000, item.info.seq)

    bench = Bench([1, 2], steps=[Noticing()])
    bench.run()
    failed, kept = bench.records
    assert (failed["kind"], failed["items"][0]["reason"]) == ("failed", "too_large")
    assert [one["event"] for one in kept["events"]] == ["line.crossed", "result.shortened"]
    assert bench.packets[-1][0] == Ledger(captured=2, inferred=1, failed={"too_large": 1})
