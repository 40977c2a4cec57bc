"""Stored blocks become rows, once, in whatever order that happens; those that do not unpack are kept."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.errors import StoreBusy
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.ranges import Watermark
from agent.fleet.collecting.warehouse import Warehouse
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EPOCH = "0123456789abcdef"


def block(first: int, last: int) -> Block:
    records = [{"pipeline": "gate", "wall_ns": seq} for seq in range(first, last + 1)]
    return Block(first, last - first + 1, pack(records, {"gate": {"captured": last}}))


def batch(*spans: tuple[int, int]) -> Incoming:
    return Incoming("cam-1", Lease(EPOCH, 1, tuple(block(*span) for span in spans), live=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.db"


@pytest.fixture
def warehouse(path: Path) -> Iterator[Warehouse]:
    with Warehouse(path) as made:
        yield made


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def nested(depth: int) -> Block:
    data: Any = []
    for _ in range(depth):
        data = [data]
    body = json.dumps({"ledgers": {}, "records": [{"deep": data}]}).encode()
    return Block(5, 1, zlib.compress(body))


DAMAGED = {
    "no block": Block(5, 1, b"no block"),
    "another count": Block(5, 2, block(5, 5).data),
    "deeper than it can be written": nested(500),
    "empty": Block(5, 1, b""),
    "many values": Block(5, 1, pack([{"items": [{}] * 200_000}], {})),
    "many pipelines": Block(5, 1, pack([{}], {f"{n}": {} for n in range(257)})),
    "too large": Block(5, 1, pack([{"kind": "x" * (9 << 20)}], {})),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_block_that_does_not_unpack_is_kept_with_its_reason_and_holds_up_no_other(
    warehouse: Warehouse, path: Path, damaged: Block
) -> None:
    good = block(damaged.last + 1, damaged.last + 2)
    lease = Lease(EPOCH, 1, (block(1, 4), damaged, good), live=True)
    [stored] = warehouse.store([Incoming("cam-1", lease)])
    assert stored.watermark == Watermark(good.last, ())
    done = warehouse.unpack()
    assert (done.behind, [device for device, _ in done.bad]) == (0, ["cam-1"])
    kept = rows(path, "SELECT first, count, reason, data FROM bad_blocks")
    assert kept == [(5, damaged.count, str(done.bad[0][1]), damaged.data)]
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in (1, 2, 3, 4, good.first, good.last)]


def test_unpacking_goes_on_where_it_was_and_doubles_nothing(path: Path) -> None:
    with Warehouse(path) as warehouse:
        warehouse.store([batch((1, 4), (5, 9), (10, 12))])
        done = warehouse.unpack(most=4)
        assert (done.records, done.behind) == (4, 8)
    with Warehouse(path) as warehouse:
        [again] = warehouse.store([batch((1, 4), (5, 9))])
        assert (again.new, again.duplicate) == (0, 9)
        assert warehouse.unpack().behind == 0
        assert warehouse.unpack().records == 0
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in range(1, 13)]
    assert rows(path, "SELECT count(*) FROM raw") == [(0,)]


def test_what_is_fresh_becomes_rows_with_its_storing_and_the_rest_later(
    warehouse: Warehouse, path: Path
) -> None:
    fresh = replace(batch((5, 9), (10, 12)), fresh=True)
    [late, now] = warehouse.store([batch((1, 4)), fresh])
    assert (late.new, late.rows, now.new, now.rows) == (4, 0, 8, 8)
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in range(5, 13)]
    assert rows(path, "SELECT as_of_seq FROM ledgers") == [(12,)]
    [again] = warehouse.store([fresh])
    assert (again.new, again.rows, again.duplicate) == (0, 0, 8)
    assert (warehouse.unpack().records, warehouse.unpack().behind) == (4, 0)
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in range(1, 13)]
    assert rows(path, "SELECT as_of_seq FROM ledgers") == [(12,)]


def test_only_so_much_becomes_rows_with_its_storing(warehouse: Warehouse, path: Path) -> None:
    noise = pack([{"noise": os.urandom(45_000).hex()}], {})  # hexadecimal: it packs to a half
    blocks = tuple(Block(seq, 1, noise) for seq in range(1, 5))
    [stored] = warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, blocks, live=True), fresh=True)])
    assert (stored.new, stored.rows) == (4, 2)
    assert rows(path, "SELECT seq FROM results") == [(1,), (2,)]
    assert warehouse.unpack().records == 2
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in range(1, 5)]


class RacingClock(ManualClock):
    """Each look at it takes 0.3 seconds."""

    def monotonic(self) -> float:
        self.tick(0.3)
        return super().monotonic()


def test_rows_are_made_for_half_a_second_and_of_one_block_more(path: Path) -> None:
    with Warehouse(path, clock=RacingClock()) as warehouse:
        [stored] = warehouse.store([replace(batch(*((n, n) for n in range(1, 9))), fresh=True)])
        assert (stored.new, stored.rows, stored.watermark) == (8, 1, Watermark(8, ()))
        assert [warehouse.unpack().records for _ in range(5)] == [2, 2, 2, 1, 0]
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in range(1, 9)]


def test_a_fresh_block_that_does_not_unpack_is_acknowledged_and_kept_with_its_reason(
    warehouse: Warehouse, path: Path
) -> None:
    lease = Lease(EPOCH, 1, (block(1, 4), Block(5, 1, b"no block"), block(6, 7)), live=True)
    [stored] = warehouse.store([Incoming("cam-1", lease, fresh=True)])
    assert stored.watermark == Watermark(7, ())
    assert rows(path, "SELECT first, reason FROM bad_blocks") == [(5, str(stored.bad[0]))]
    assert rows(path, "SELECT seq FROM results") == [(n,) for n in (1, 2, 3, 4, 6, 7)]


def test_how_much_waits_is_known_though_another_collector_works_on_it_too(path: Path) -> None:
    clock = ManualClock()
    with Warehouse(path, clock=clock) as one, Warehouse(path) as other:
        one.store([batch((1, 4), (5, 9), (10, 12))])
        assert one.unpack(most=1).behind == 8
        other.unpack(most=1)
        clock.tick(5)
        one.store([batch((20, 29))])
        assert one.unpack(most=1).behind == 10


def test_a_refused_unpacking_leaves_the_blocks_for_later(warehouse: Warehouse, path: Path) -> None:
    warehouse.store([batch((1, 900))])
    [pages] = warehouse._db.execute("PRAGMA page_count").fetchone()
    warehouse._db.execute(f"PRAGMA max_page_count={pages + 4}")
    with pytest.raises(StoreBusy, match="the disk is full"):
        warehouse.unpack()
    assert rows(path, "SELECT count(*) FROM results") == [(0,)]
    warehouse._db.execute("PRAGMA max_page_count=100000")
    assert warehouse.unpack().records == 900
    assert rows(path, "SELECT count(*) FROM results") == [(900,)]


def test_metrics_become_one_row_each_and_stand_in_no_other_table(warehouse: Warehouse, path: Path) -> None:
    items = [
        {"name": "frames", "type": "counter", "value": 7},
        {"name": "infer_us", "type": "histogram", "count": 9, "sum": 90, "p50": 1, "p95": 2, "p99": 3.5,
         "p999": 4, "max": 5, "buckets": [[3, 4], [9, 5]]},
        {"name": 7, "value": "x"},
    ]  # fmt: skip
    odd: dict[str, Any] = {"kind": "metrics", "items": "none"}
    records = [{"kind": "metrics", "pipeline": "gate", "wall_ns": 1_000_000_000, "items": items}, odd]
    data = pack(records, {}, {"boot": "b", "synced": True})
    warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, (Block(1, 2, data),), live=True, stream="metric"))])
    warehouse.unpack()
    nothing = [None] * 6
    assert rows(path, "SELECT * FROM metrics") == [
        ("cam-1", EPOCH, 1, 0, 10**9, "gate", "frames", "counter", 7.0, None, *nothing, 1, None),
        ("cam-1", EPOCH, 1, 1, 10**9, "gate", "infer_us", "histogram", None, 9, 90.0, 1.0, 2.0, 3.5, 4.0, 5.0,
         1, "[[3,4],[9,5]]"),
        ("cam-1", EPOCH, 1, 2, 10**9, "gate", None, None, None, None, *nothing, 1, None),
    ]  # fmt: skip
    assert rows(path, "SELECT seq FROM records") == [(2,)]
    assert rows(path, "SELECT time FROM metrics_utc LIMIT 1") == [("1970-01-01T00:00:01.000Z",)]


def test_what_the_agent_says_of_itself_is_no_result_and_its_events_have_a_table(
    warehouse: Warehouse, path: Path
) -> None:
    event: dict[str, Any] = {"kind": "event", "event": "link.lost", "level": "warning"}
    event |= {"subject": "broker", "wall_ns": 5, "items": [{"reason": "refused"}], "suppressed": 2}
    plain: dict[str, Any] = {"kind": "detection", "wall_ns": 1}
    records = [plain, {"kind": "ledger", "items": [{}]}, event, {"n": 1}]
    lease = Lease(EPOCH, 1, (Block(1, 4, pack(records, {}, {"synced": False})),), live=True, stream="alert")
    warehouse.store([Incoming("cam-1", lease)])
    warehouse.unpack()
    assert rows(path, "SELECT seq, synced FROM results") == [(1, 0), (4, 0)]
    assert rows(path, "SELECT seq, wall_ns, event, level, subject, details, suppressed FROM events") == [
        (3, 5, "link.lost", "warning", "broker", '{"reason":"refused"}', 2)
    ]
    assert rows(path, "SELECT seq FROM records") == [(1,), (2,), (3,), (4,)]


def test_a_record_of_too_many_metrics_makes_a_bad_block(warehouse: Warehouse, path: Path) -> None:
    blocks = tuple(Block(n, 1, pack([{"items": [{}] * many}], {})) for n, many in ((1, 8193), (2, 8192)))
    warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, blocks, live=True, stream="metric"))])
    assert len(warehouse.unpack().bad) == 1
    assert rows(path, "SELECT DISTINCT seq FROM metrics") == [(2,)]


@pytest.mark.parametrize("name", ["x" * 201, "zero\0"])
def test_a_pipelines_name_that_no_key_can_hold_makes_a_bad_block(warehouse: Warehouse, name: str) -> None:
    lease = Lease(EPOCH, 1, (Block(1, 1, pack([{}], {name: {}})),), live=True)
    warehouse.store([Incoming("cam-1", lease)])
    assert len(warehouse.unpack().bad) == 1
