"""The collector on a real database: it acknowledges what it has stored, and nothing else."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.errors import LinkLost, MessageInvalid
from agent.events import Event, counters
from agent.fleet.collecting.collector import Collector
from agent.fleet.collecting.inbox import Inbox
from agent.fleet.collecting.warehouse import Warehouse
from agent.fleet.keys import Keyring, make_keys
from agent.fleet.states import State
from agent.link import ack, batch, topics
from agent.link.settings import LinkMessage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EPOCH = "0123456789abcdef"


class Down:
    """The way to the devices: what was published, and which messages were confirmed."""

    def __init__(self) -> None:
        self.room = 1000
        self.limit = 1 << 20
        self.published: list[tuple[str, ack.Ack]] = []
        self.settled: list[LinkMessage] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        assert (qos, retain) == (1, True)
        if len(self.published) >= self.room:
            raise LinkLost("publish", topic, "too much waits")
        if len(payload) > self.limit:
            raise MessageInvalid("publish", topic, "too large")
        self.published.append((topic, ack.decode(payload, None)))
        return len(self.published)

    def settle(self, message: LinkMessage) -> None:
        self.settled.append(message)

    def upto(self, at: int = -1, epoch: str = EPOCH) -> int:
        return self.published[at][1].streams["result"][epoch].upto


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "fleet.db") as made:
        yield made


@pytest.fixture
def down() -> Down:
    return Down()


@pytest.fixture
def collector(warehouse: Warehouse, down: Down) -> Collector:
    return Collector("demo", warehouse, down)


def message(
    first: int, count: int = 10, *, device: str = "pi-17", topic: str = "", epoch: str = EPOCH, **header: Any
) -> LinkMessage:
    block = Block(first, count, pack([{"n": first + at} for at in range(count)], {}))
    lease = Lease(epoch, 1, (block,), live=True)
    payload = batch.encode(**{"fleet": "demo", "device": device, "lease": lease, **header})
    return LinkMessage(topic or topics.up_results("demo", device), payload, retain=False, receipt=(1, first))


def test_what_is_stored_is_acknowledged_and_confirmed(collector: Collector, down: Down) -> None:
    one, two = message(1), message(11)
    collector.take([one, two], now=0)
    assert [topic for topic, _ in down.published] == ["edge/v1/demo/d/pi-17/down/ack"]
    assert down.upto() == 20
    assert not down.published[0][1].again
    assert down.settled == [one, two]
    assert (collector.totals.new, collector.totals.batches) == (20, 2)
    assert collector.idle


def test_a_duplicate_is_acknowledged_again_and_stored_once(collector: Collector, down: Down) -> None:
    for _ in range(3):
        collector.take([message(1)], now=0)
    assert [down.upto(at) for at in range(3)] == [10, 10, 10]
    assert (collector.totals.new, collector.totals.duplicate) == (10, 20)


def test_a_gap_holds_the_watermark_back(collector: Collector, down: Down) -> None:
    collector.take([message(21)], now=0)
    assert down.upto() == 0
    assert down.published[0][1].streams["result"][EPOCH].have == ((21, 30),)
    collector.take([message(1, 20)], now=0)
    assert down.upto() == 30


@pytest.mark.parametrize(
    "bad",
    [
        message(1, device="pi-18", topic="edge/v1/demo/d/pi-17/up/results"),
        message(1, topic="edge/v1/other/d/pi-17/up/results"),
        message(1, fleet="other"),
        message(1, topic="edge/v1/demo/d/pi-17/up/metrics"),
        LinkMessage("edge/v1/demo/d/pi-17/up/results", b"\0\0\0\2{}", retain=False, receipt=(1, 1)),
        LinkMessage("edge/v1/demo/d/pi-17/up/results", b"x" * (3 << 20), retain=False, receipt=(1, 1)),
    ],
)
def test_a_bad_batch_is_refused_counted_and_confirmed(
    collector: Collector, down: Down, warehouse: Warehouse, bad: LinkMessage
) -> None:
    before = counters[Event.BATCH_REFUSED.value]
    good = message(1, device="pi-20")
    collector.take([bad, good], now=0)
    assert counters[Event.BATCH_REFUSED.value] == before + 1
    assert collector.totals.refused == 1
    assert sorted(m.topic for m in down.settled) == sorted([bad.topic, good.topic])
    assert [topic for topic, _ in down.published] == ["edge/v1/demo/d/pi-20/down/ack"]
    assert warehouse.devices() == ["pi-20"]


def test_a_new_link_tells_every_device_and_asks_again(collector: Collector, down: Down) -> None:
    collector.take([message(1, device=f"pi-{n}") for n in range(3)], now=0)
    down.published.clear()
    collector.on_link_up()
    assert not collector.idle
    collector.take([], now=0)
    assert [document.device for _, document in down.published] == ["pi-0", "pi-1", "pi-2"]
    assert all(document.again for _, document in down.published)
    assert down.upto() == 10
    assert collector.idle


def test_what_the_link_does_not_take_is_told_later(collector: Collector, down: Down) -> None:
    down.room = 2
    collector.take([message(1, device=f"pi-{n}") for n in range(5)], now=0)
    assert len(down.published) == 2
    assert not collector.idle
    down.room = 100
    collector.take([message(11, device="pi-4")], now=0)
    assert [document.device for _, document in down.published] == [f"pi-{n}" for n in range(5)]
    assert down.upto() == 20


def test_an_acknowledgement_above_the_brokers_limit_does_not_hold_up_the_others(
    collector: Collector, down: Down
) -> None:
    down.limit = 10
    collector.take([message(1)], now=0)
    assert collector.idle
    assert not down.published


def test_an_epoch_that_was_just_stored_is_told_however_many_there_are(
    collector: Collector, down: Down
) -> None:
    epochs = [f"{n:016x}" for n in range(40)]
    collector.take([message(1, epoch=epoch) for epoch in epochs], now=0)
    assert down.published[-1][1].streams["result"].keys() == set(epochs)


def test_a_locked_database_keeps_batches_unconfirmed_until_it_is_free(
    collector: Collector, down: Down, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "fleet.db", isolation_level=None) as other:
        collector._warehouse._db.execute("PRAGMA busy_timeout=10")  # type: ignore[attr-defined]
        other.execute("BEGIN IMMEDIATE")
        collector.take([message(1)], now=0)
        collector.take([message(11)], now=0.5)
        assert not down.settled
        assert not down.published
        assert not collector.idle
        other.execute("ROLLBACK")
        collector.take([], now=0.9)
        assert not down.published
        collector.take([], now=1.0)
    other.close()
    assert len(down.settled) == 2
    assert down.upto() == 20


def test_too_much_in_waiting_is_refused_not_kept(warehouse: Warehouse, down: Down, tmp_path: Path) -> None:
    each = len(message(1).payload)
    collector = Collector("demo", warehouse, down, max_bytes=10 * each)
    with sqlite3.connect(tmp_path / "fleet.db", isolation_level=None) as other:
        warehouse._db.execute("PRAGMA busy_timeout=10")
        other.execute("BEGIN IMMEDIATE")
        collector.take([message(1 + 10 * n) for n in range(30)], now=0)
        other.execute("ROLLBACK")
    other.close()
    assert collector.totals.refused == len(down.settled) >= 15
    for at in range(0, 30, 5):  # the devices send again
        collector.take([message(1 + 10 * n) for n in range(at, at + 5)], now=5)
    assert down.upto() == 300


def test_above_its_bound_the_inbox_drops_messages_and_confirms_them(down: Down) -> None:
    inbox = Inbox(max_bytes=3000)
    inbox.settle = down.settle
    before = counters[Event.BATCH_REFUSED.value]
    for n in range(4):
        inbox.post(LinkMessage("t", bytes(1000), retain=False, receipt=(1, n)))
    taken = inbox.take(1.0, most=10, most_bytes=10_000)
    assert [len(m.payload) for m in taken if isinstance(m, LinkMessage)] == [1000, 1000]
    assert counters[Event.BATCH_REFUSED.value] == before + 2
    assert len(down.settled) == 2
    inbox.post(LinkMessage("t", bytes(2500), retain=False))
    [again] = inbox.take(1.0, most=10, most_bytes=10_000)
    assert isinstance(again, LinkMessage)
    assert len(again.payload) == 2500


def test_the_state_of_a_device_without_a_key_is_no_refused_batch_and_makes_no_row(
    warehouse: Warehouse, down: Down, tmp_path: Path
) -> None:
    make_keys(tmp_path, ["pi-17"])
    collector = Collector("demo", warehouse, down, Keyring(tmp_path))
    before = counters[Event.BATCH_REFUSED.value]
    for device in ("pi-17", "pi-18"):
        topic = topics.up_state("demo", device)
        collector.take([LinkMessage(topic, b'{"v":1,"online":true}', retain=True, receipt=(1, 1))], now=0)
    assert (collector.totals.refused, collector.totals.states_refused) == (0, 1)
    assert (counters[Event.BATCH_REFUSED.value], warehouse.devices()) == (before, ["pi-17"])
    assert len(down.settled) == 2


def test_rows_are_made_when_no_batch_comes_and_meanwhile_now_and_then(
    collector: Collector, warehouse: Warehouse
) -> None:
    collector.take([message(1), message(11)], now=10)
    assert collector.totals.behind == 20
    assert not collector.unpack(10, busy=True)
    assert collector.totals.behind == 0
    collector.take([message(21)], now=10)
    assert collector.unpack(10, busy=True), "the turn before took some of this time"
    assert collector.totals.behind == 10
    assert not collector.unpack(20, busy=False)
    assert collector.totals.behind == 0
    assert warehouse._db.execute("SELECT count(*) FROM results").fetchone() == (30,)


@pytest.mark.parametrize("lane", ["alert", "live"])
def test_what_people_may_be_waiting_for_is_rows_before_a_backlog_is(
    collector: Collector, warehouse: Warehouse, lane: batch.LaneName
) -> None:
    collector.take([message(1), message(11, lane="metric"), message(21, lane=lane)], now=10)
    assert collector.totals.behind == 20
    assert warehouse._db.execute("SELECT min(seq), count(*) FROM results").fetchone() == (21, 10)


def test_a_block_that_does_not_unpack_is_acknowledged_counted_and_told(
    collector: Collector, down: Down
) -> None:
    before = counters[Event.BLOCK_DAMAGED.value]
    payload = batch.encode("demo", "pi-17", Lease(EPOCH, 1, (Block(1, 1, b"no zlib"),), live=True))
    topic = topics.up_results("demo", "pi-17")
    collector.take([LinkMessage(topic, payload, retain=False, receipt=(1, 1))], now=0)
    collector.unpack(0, busy=False)
    assert (down.upto(), collector.totals.damaged) == (1, 1)
    lease = Lease(EPOCH, 1, (Block(2, 1, b"no zlib"),), live=True)
    payload = batch.encode("demo", "pi-17", lease, lane="live")
    collector.take([LinkMessage(topic, payload, retain=False, receipt=(1, 2))], now=0)
    assert down.upto() == 2
    assert collector.totals.damaged == 2
    assert counters[Event.BLOCK_DAMAGED.value] == before + 2


def test_a_large_fleet_is_told_page_by_page_and_no_faster_than_the_link_takes_it(
    collector: Collector, down: Down, warehouse: Warehouse
) -> None:
    names = [f"pi-{n:03}" for n in range(120)]
    warehouse.told({name: State(online=True, version="1") for name in names})
    collector.on_link_up()
    down.room = 30
    collector.take([], now=0)
    collector.take([], now=0.2)
    assert len(down.published) == 30
    down.room = 1000
    collector.take([], now=0.3)
    assert len(down.published) == 50
    collector.take([], now=0.35)  # the link is free again, and the second page goes
    assert len(down.published) == 100
    collector.take([], now=0.4)
    assert len(down.published) == 100  # less than 0.1 s after it
    assert collector.greeting
    collector.take([], now=0.5)
    assert [document.device for _, document in down.published] == names
    assert collector.idle
