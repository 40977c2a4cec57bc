"""What goes into the store, and with which ledgers: rule [record-2] of docs/protocol.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.ledger import Ledger
from agent.recorder import Recorder
from agent.workers.messages import Ready
from agent.workers.record import Record
from tests.simulators.clocks import ManualClock
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.blocks import Stream


class Lane:
    """As much of a lane as a recorder looks at."""

    name = "door"
    ready: Ready | None = None
    ledger = Ledger()


class Store:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.puts: list[tuple[list[Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]] = []
        self.streams: list[Stream] = []

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        self.streams.append(stream)
        self.puts.append((list(records), ledgers))


def made() -> tuple[Recorder, Lane, Store]:
    lane, store = Lane(), Store()
    return Recorder(store, [lane], ManualClock()), lane, store


def test_records_go_with_the_ledger_that_includes_them() -> None:
    recorder, lane, store = made()
    lane.ledger = Ledger(captured=1, inferred=1)
    record = Record(frame=0, captured_ns=5, kind="classification", items=[])
    recorder.keep(lane, [record])
    [([kept], ledgers)] = store.puts
    assert kept["pipeline"] == "door"
    assert kept["frame"] == 0
    assert ledgers["door"]["inferred"] == 1


@pytest.mark.parametrize("bundle", ["", "ef" * 32])
def test_a_record_names_the_model_that_made_it_and_its_bundle(bundle: str) -> None:
    recorder, lane, store = made()
    lane.ready = Ready.model_validate({**READY, "bundle": bundle})
    recorder.keep(lane, [Record(frame=0, captured_ns=5, kind="classification", items=[])])
    [([kept], _)] = store.puts
    assert (kept["model"], kept["sha256"], kept["delegate"]) == ("glyphs@1", "ab" * 32, "cpu")
    assert kept.get("bundle", "") == bundle
    assert ("bundle" in kept) == bool(bundle)


def test_a_ledger_that_moves_without_a_result_is_noted_once_and_not_too_often() -> None:
    recorder, lane, store = made()
    recorder.tick(100.0)
    assert store.puts == []  # nothing was captured
    lane.ledger = Ledger(captured=3, failed={"decode": 3})
    recorder.tick(105.0)
    assert store.puts == []
    recorder.tick(110.0)
    [([note], _)] = store.puts
    assert note["kind"] == "ledger"
    assert note["items"] == [lane.ledger.to_json()]
    recorder.tick(120.0)
    assert len(store.puts) == 1


def test_what_a_crash_took_is_noted_at_once() -> None:
    recorder, lane, store = made()
    lane.ledger = Ledger(captured=2, inferred=1, lost=1)
    recorder.note(lane)
    recorder.note(lane)
    [([note], ledgers)] = store.puts
    assert note["items"][0]["lost"] == ledgers["door"]["lost"] == 1


def test_an_urgent_lanes_records_and_ledger_are_alerts_and_no_others_are() -> None:
    lanes = {name: Lane() for name in ("door", "fire")}
    for name, lane in lanes.items():
        lane.name = name
        lane.ledger = Ledger(captured=1, inferred=1)
    store = Store()
    recorder = Recorder(store, list(lanes.values()), ManualClock(), {"fire"})
    recorder.keep(lanes["door"], [Record(frame=0, captured_ns=5, kind="classification", items=[])])
    recorder.keep(lanes["fire"], [Record(frame=0, captured_ns=5, kind="classification", items=[])])
    lanes["fire"].ledger = Ledger(captured=2, inferred=1, lost=1)
    recorder.note(lanes["fire"])
    assert store.streams == ["result", "alert", "alert"]
    assert [list(ledgers) for _, ledgers in store.puts] == [["door"], ["fire"], ["fire"]]
