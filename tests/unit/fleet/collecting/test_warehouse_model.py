"""The warehouse against brute force: whatever order batches come in, however often, however they overlap."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.blocks import Block, Lease, Loss, pack
from agent.fleet.collecting.databases import open_warehouse
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.ranges import MOST_RANGES, Watermark
from agent.fleet.collecting.warehouse import Warehouse

if TYPE_CHECKING:
    from agent.fleet.collecting.storage import Storage
    from tests.simulators.postgres import Server

EPOCHS = ("a" * 16, "b" * 16)
DEVICES = ("cam-1", "cam-2")


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch in numbers: adjacent blocks from ``first`` on."""

    device: str
    epoch: str
    low: int
    first: int
    counts: tuple[int, ...]
    lost: tuple[tuple[int, int], ...]


sent = st.builds(
    Sent,
    device=st.sampled_from(DEVICES),
    epoch=st.sampled_from(EPOCHS),
    low=st.one_of(st.just(1), st.integers(1, 60)),
    first=st.integers(1, 60),
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    lost=st.sampled_from([(), ((3, 7),), ((1, 2), (10, 30)), ((1, 4), (5, 9), (10, 12), (13, 30))]),
)
transactions = st.lists(st.lists(sent, min_size=1, max_size=4), min_size=1, max_size=12)


def incoming(one: Sent) -> Incoming:
    blocks = []
    seq = one.first
    for count in one.counts:
        records = [{"n": [one.device, one.epoch, n]} for n in range(seq, seq + count)]
        blocks.append(Block(seq, count, pack(records, {"p": {"captured": seq + count - 1}})))
        seq += count
    lost = tuple(Loss(a, b, "evicted") for a, b in one.lost if b < one.first)
    return Incoming(one.device, Lease(one.epoch, one.low, tuple(blocks), live=True, lost=lost))


def brute_force(have: set[int], lost: set[int], low: int) -> Watermark:
    upto = low - 1
    while upto + 1 in have | lost:
        upto += 1
    above = sorted(seq for seq in have if seq > upto)
    starts = [seq for seq in above if seq - 1 not in have]
    ends = [seq for seq in above if seq + 1 not in have]
    return Watermark(upto, tuple(zip(starts, ends, strict=True))[:MOST_RANGES])


def follow(warehouse: Storage, calls: list[list[Sent]], unpack_most: int) -> None:
    """Store what was sent, and compare with sets of numbers."""
    have: dict[tuple[str, str], set[int]] = defaultdict(set)
    lows: dict[tuple[str, str], int] = defaultdict(lambda: 1)
    lost: dict[tuple[str, str], set[int]] = defaultdict(set)
    for call in calls:
        news = []
        for one in call:
            place = one.device, one.epoch
            numbers = range(one.first, one.first + sum(one.counts))
            news.append(len(set(numbers) - have[place]))
            have[place].update(numbers)
            lows[place] = max(lows[place], one.low)
            lost[place].update(
                seq for loss in incoming(one).lease.lost for seq in range(loss.first, loss.last + 1)
            )
        answers = warehouse.store([incoming(one) for one in call])
        if unpack_most % 2:
            warehouse.unpack(unpack_most)
        assert [answer.new for answer in answers] == news
        assert [answer.new + answer.duplicate for answer in answers] == [sum(one.counts) for one in call]
        for one, answer in zip(call, answers, strict=True):
            place = one.device, one.epoch
            assert answer.watermark == brute_force(have[place], lost[place], lows[place])
    for device in DEVICES:
        told = warehouse.watermarks(device).get("result", {})
        assert told == {
            e: brute_force(have[device, e], lost[device, e], lows[device, e])
            for e in EPOCHS
            if have[device, e]
        }
    while warehouse.unpack(unpack_most).behind:
        pass
    found = warehouse._db.execute("SELECT device, epoch, seq, CAST(body AS TEXT) FROM results").fetchall()
    stored = [(device, epoch, seq, json.loads(body)["n"][2]) for device, epoch, seq, body in found]
    assert sorted(stored) == sorted((d, e, seq, seq) for (d, e), all_of in have.items() for seq in all_of)
    ledgers = warehouse._db.execute("SELECT device, epoch, as_of_seq FROM ledgers").fetchall()
    assert sorted(ledgers) == sorted((d, e, max(numbers)) for (d, e), numbers in have.items() if numbers)


@settings(max_examples=60, deadline=None)
@given(calls=transactions, unpack_most=st.integers(1, 9))
def test_results_are_stored_once_and_the_watermark_is_right(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[Sent]], unpack_most: int
) -> None:
    with Warehouse(tmp_path_factory.mktemp("model") / "warehouse.db") as warehouse:
        follow(warehouse, calls, unpack_most)


@pytest.mark.postgresql
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls=transactions, unpack_most=st.integers(1, 9))
def test_postgresql_stores_once_and_its_watermark_is_right(
    postgresql: Server, calls: list[list[Sent]], unpack_most: int
) -> None:
    with open_warehouse(postgresql.url()) as warehouse:
        follow(warehouse, calls, unpack_most)


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(sent, min_size=1, max_size=8), order=st.data())
def test_order_and_repetition_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, batches: list[Sent], order: st.DataObject
) -> None:
    shuffled = order.draw(st.permutations(batches + batches))
    cut = order.draw(st.integers(0, len(shuffled)))
    tables = []
    for calls in ([batches], [shuffled[:cut], shuffled[cut:]]):
        with Warehouse(tmp_path_factory.mktemp("order") / "warehouse.db") as warehouse:
            for call in calls:
                warehouse.store([incoming(one) for one in call])
                warehouse.unpack()
            contents = [
                warehouse._db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4").fetchall()  # noqa: S608
                for table in ("records", "ledgers", "have")
            ]
            lows = warehouse._db.execute("SELECT device, epoch, low FROM epochs ORDER BY 1, 2").fetchall()
            tables.append((contents, lows))
    assert tables[0] == tables[1]
