"""What goes into the store, and with which ledgers: rule [record-2] of docs/protocol.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.ledger import Ledger
from agent.supervision.recorder import Recorder
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


def seen(frame: int, *events: dict[str, Any]) -> Record:
    return Record(frame=frame, captured_ns=frame, kind="detection", items=[], events=list(events))


CROSSED = {"event": "line.crossed", "line": "gate", "track": 3}
ENTERED = {"event": "zone.entered", "zone": "yard"}


@pytest.mark.parametrize(("names", "alerts"), [(("line.crossed",), [1, 3]), (("*",), [1, 2, 3])])
def test_a_record_with_an_event_that_alerts_goes_first_and_the_others_stay(
    names: tuple[str, ...], alerts: list[int]
) -> None:
    lane, store = Lane(), Store()
    recorder = Recorder(store, [lane], ManualClock(), alerting={"door": names})
    lane.ledger = Ledger(captured=4, inferred=4)
    recorder.keep(lane, [seen(0), seen(1, ENTERED, CROSSED), seen(2, ENTERED), seen(3, CROSSED)])
    assert store.streams == ["alert", "result"]
    (first, with_alerts), (rest, with_results) = store.puts
    assert [one["frame"] for one in first] == alerts
    assert [one["frame"] for one in rest] == [n for n in range(4) if n not in alerts]
    assert first[0]["events"] == [ENTERED, CROSSED]
    assert with_alerts == {}  # a ledger in two streams would be counted twice
    assert with_results["door"]["inferred"] == 4


def test_a_ledger_that_only_alerts_have_moved_is_noted() -> None:
    lane, store = Lane(), Store()
    recorder = Recorder(store, [lane], ManualClock(), alerting={"door": ("*",)})
    lane.ledger = Ledger(captured=1, inferred=1)
    recorder.keep(lane, [seen(0, CROSSED)])
    recorder.tick(100.0)
    assert store.streams == ["alert", "result"]
    assert store.puts[1][0][0]["kind"] == "ledger"
    assert store.puts[1][1]["door"]["inferred"] == 1


def test_all_records_of_a_pipeline_of_high_priority_are_alerts_whatever_alert_on_says() -> None:
    lane, store = Lane(), Store()
    recorder = Recorder(store, [lane], ManualClock(), {"door"}, {"door": ("line.crossed",)})
    lane.ledger = Ledger(captured=2, inferred=2)
    recorder.keep(lane, [seen(0), seen(1, CROSSED)])
    [(kept, ledgers)] = store.puts
    assert store.streams == ["alert"]
    assert [one["frame"] for one in kept] == [0, 1]
    assert ledgers["door"]["inferred"] == 2


def test_a_record_keeps_what_filters_noticed_and_what_further_models_said() -> None:
    recorder, lane, store = made()
    also = {"faces": {"kind": "embedding", "items": [{"label": "ann", "index": 0, "score": 0.9}]}}
    record = Record(frame=0, captured_ns=5, kind="detection", items=[], events=[CROSSED], also=also)
    recorder.keep(lane, [record, seen(1)])
    [([one, plain], _)] = store.puts
    assert (one["events"], one["also"]) == ([CROSSED], also)
    assert not {"events", "also"} & plain.keys()
