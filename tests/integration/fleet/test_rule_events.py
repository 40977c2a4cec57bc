"""What filters noticed, at the collector: rows of a view in both databases, and CloudEvents of their own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.fleet.collecting.databases import open_warehouse, reading
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.outlet import Outlet
from agent.fleet.collecting.warehouse import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulators.postgres import Server

EPOCH = "0123456789abcdef"


def keep(url: str, lease: Lease) -> None:
    with open_warehouse(url) as warehouse:
        warehouse.store([Incoming("cam-1", lease)])
        while warehouse.unpack().behind:
            pass


def rows(url: str, query: str) -> list[Any]:
    with reading(url) as db:
        return [tuple(row) for row in db.execute(query).fetchall()]


def test_each_event_of_a_rule_is_a_row_in_both_streams_and_what_is_odd_stays_empty(url: str) -> None:
    crossed = {"event": "line.crossed", "label": "person", "track": 3, "line": "gate", "way": "in"}
    odd = [7, {"event": 5, "track": 2.5, "label": None}, {"event": "zone.left", "track": "x", "zone": "yard"}]
    for stream, events in (("alert", [crossed]), ("result", odd), ("metric", "x")):
        record = {"kind": "detection", "pipeline": "door", "frame": 9, "wall_ns": 10**9, "events": events}
        own = {"kind": "event", "event": "link.lost", "events": [crossed]}
        block = Block(1, 3, pack([record, own, {"events": {"event": "a"}}], {}, {"synced": True}))
        lease = Lease(EPOCH, 1, (block,), live=True, stream=stream)  # type: ignore[arg-type]
        keep(url, lease)
    columns = "stream, seq, n, pipeline, frame, wall_ns, event, label, track, zone, line"
    found = rows(url, f"SELECT {columns} FROM rule_events WHERE synced ORDER BY stream, n")  # noqa: S608
    assert [(*row[:6], str(row[6]), *row[7:]) for row in found] == [
        ("alert", 1, 0, "door", 9, 10**9, "line.crossed", "person", 3, None, "gate"),
        ("result", 1, 1, "door", 9, 10**9, "5", None, None, None, None),
        ("result", 1, 2, "door", 9, 10**9, "zone.left", None, None, "yard", None),
    ]
    [(way,)] = rows(url, "SELECT body->>'way' FROM rule_events_utc WHERE line = 'gate'")
    assert way == "in"


@pytest.mark.postgresql
def test_tables_of_the_release_before_are_brought_up_with_what_is_in_them(postgresql: Server) -> None:
    url = postgresql.url()
    record = {"kind": "detection", "events": [{"event": "line.crossed", "track": 3}]}
    block = Block(1, 2, pack([record, record], {}, {"synced": True}))
    keep(url, Lease(EPOCH, 1, (block,), live=True))
    with open_warehouse(url) as one:
        for statement in ("DROP VIEW rule_events_utc", "DROP VIEW rule_events"):
            one._db.execute(statement)
        one._db.execute("DELETE FROM schema_version WHERE version = 5")
    open_warehouse(url).close()
    assert rows(url, "SELECT seq, n, track FROM rule_events_utc ORDER BY seq") == [(1, 0, 3), (2, 0, 3)]


def test_each_event_of_a_rule_is_a_cloudevent_behind_its_record_and_what_is_odd_is_none(
    tmp_path: Path,
) -> None:
    crossed = {"event": "line.crossed", "line": "gate", "track": 3}
    record = {"kind": "detection", "pipeline": "door", "frame": 9, "wall_ns": 10**9, "items": []}
    odd = [7, {"event": ""}, {"event": ["x"]}, {"zone": "yard"}]
    records = [{**record, "events": [crossed, *odd, {"event": "zone.entered"}]}, {**record, "events": "x"}]
    mine, theirs = os.pipe()
    with open(mine, "rb") as reader, Warehouse(tmp_path / "fleet.db") as warehouse:  # noqa: PTH123
        lease = Lease(EPOCH, 1, (Block(1, 2, pack(records, {})),), live=True, stream="alert")
        warehouse.store([Incoming("cam-1", lease)])
        warehouse.unpack(outlet=Outlet("cloudevents", "demo", theirs))
        os.close(theirs)
        first, one, other, last = [json.loads(line) for line in reader]
    assert first["data"] == records[0]
    assert one == {
        **first,
        "id": f"cam-1/alert/{EPOCH}/1/0",
        "type": "edge-agent.rule.line.crossed",
        "data": {"frame": 9, **crossed},
    }
    assert (other["id"][-4:], other["type"]) == ("/1/5", "edge-agent.rule.zone.entered")
    assert (last["id"][-2:], last["type"]) == ("/2", "edge-agent.detection")
