"""Delivery on a real outbox: what is asked for, what is sent, and when it is sent again."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from agent.blocks import Position, unpack
from agent.events import Event, counters
from agent.link import ack, batch
from agent.link.settings import LinkMessage
from tests.simulators.delivery_world import ACKS

if TYPE_CHECKING:
    from tests.conftest import MakeWorld


def test_what_is_committed_arrives_once_and_is_acknowledged(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    for _ in range(20):
        world.commit()
        world.carry()
    assert world.collector.stored == world.store.everything()
    assert world.collector.duplicates == 0
    status = world.delivery.status
    assert (status.sent, status.resent, status.in_flight) == (20, 0, 0)
    assert status.acked == Position(world.store.epoch, 200)


def test_nothing_is_asked_for_without_a_link_or_without_news(make_world: MakeWorld) -> None:
    world = make_world()
    world.commit()
    assert not world.store.wanted
    world.connect()
    world.carry()
    assert not world.store.wanted
    world.wait(1)
    assert not world.store.wanted


def test_a_lease_that_was_asked_for_before_the_link_was_lost_is_not_sent_after(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    for _ in range(2):
        world.serve()
        world.commit(size=1500)
    assert Position(world.store.epoch, 10) in [asked.after for asked in world.store.wanted]
    world.lose()
    world.connect()
    world.serve()
    assert batch.decode(world.wire.waiting[0][1], None).lease.first == 1


def test_a_store_that_had_nothing_is_asked_again_after_a_while(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.serve()
    world.store.commit(10)  # its report got lost, or it could not read when it was asked
    world.wait(11)
    world.carry()
    assert world.collector.stored == world.store.everything()


def test_blocks_are_gathered_into_batches_below_the_brokers_limit(make_world: MakeWorld) -> None:
    world = make_world(segment_bytes=1 << 20)
    for _ in range(100):
        world.commit(size=100)
    world.connect(max_packet=8000)
    world.serve()
    sizes = [len(payload) for _, payload in world.wire.waiting]
    assert max(sizes) < 8000
    assert len(batch.decode(world.wire.waiting[0][1], None).lease.blocks) > 1


def test_a_block_above_the_brokers_limit_is_cut_and_arrives(make_world: MakeWorld) -> None:
    world = make_world(max_bytes=1 << 20)
    for n in range(40):
        world.store.outbox.put(
            [{"n": n + 1, "noise": Random(n).randbytes(1000).hex()}], {"p": {"captured": n}}
        )
    world.store.outbox.flush()
    world.store.committed["result", world.store.epoch] = 40
    world.connect(max_packet=20_000)
    world.serve()
    batches = [batch.decode(payload, None).lease for _, payload in world.wire.waiting]
    assert max(len(payload) for _, payload in world.wire.waiting) <= 20_000
    assert [lease.first for lease in batches] == [1, *(lease.last + 1 for lease in batches[:-1])]
    ledgers = [unpack(lease.blocks[-1]).ledgers for lease in batches]
    assert ledgers == [{}] * (len(batches) - 1) + [{"p": {"captured": 39}}]
    world.carry()
    assert world.complete


def test_a_record_that_no_broker_takes_is_given_up_and_declared(make_world: MakeWorld) -> None:
    world = make_world(max_bytes=1 << 20)
    before = counters[Event.RECORD_OVERSIZED.value]
    for n, size in enumerate([10, 10, 15_000, 10, 10]):
        world.store.outbox.put([{"n": n + 1, "noise": Random(n).randbytes(size).hex()}], {})
    world.store.outbox.flush()
    place = ("result", world.store.epoch)
    world.store.committed["result", world.store.epoch] = 5
    world.store.acked["result", world.store.epoch] = 0
    world.connect(max_packet=16 << 10)
    world.carry()
    world.carry()
    assert world.collector.stored == {(*place, seq) for seq in (1, 2, 4, 5)}
    assert world.collector.lost == {(*place, 3)}
    assert world.store.drained
    assert counters[Event.RECORD_OVERSIZED.value] == before + 1
    assert world.store.outbox.status().streams["result"].lost == 1


def test_a_limit_that_makes_no_sense_makes_nobody_give_up(make_world: MakeWorld) -> None:
    world = make_world()
    world.commit(1, size=9000)
    before = counters[Event.BATCH_REFUSED.value]
    world.connect(max_packet=8000)
    for _ in range(10):
        world.commit()
        world.wait(20)
        world.carry()
    assert world.delivery.status.blocked == "record 1 is larger than the 8000 bytes that the broker takes"
    assert counters[Event.BATCH_REFUSED.value] == before + 1
    assert len(world.collector.stored) == 100  # what fits goes on
    world.lose()
    world.connect(max_packet=100_000)
    for _ in range(20):
        world.carry()
    assert world.complete
    assert not world.delivery.status.blocked


def test_a_limit_that_makes_no_sense_is_met_by_cutting_while_records_fit(make_world: MakeWorld) -> None:
    world = make_world()
    for n in range(3):
        world.commit(1, size=2000 + n)
    world.store.outbox.put([{"n": n, "noise": Random(n).randbytes(1500).hex()} for n in range(4, 24)], {})
    world.store.outbox.flush()
    world.store.committed["result", world.store.epoch] = 23
    world.connect(max_packet=4000)
    for _ in range(30):
        world.carry()
    assert world.complete
    assert world.store.drained
    assert not world.delivery.status.blocked


def test_batches_that_the_broker_refuses_are_sent_again_and_the_link_stays(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.commit()
    for _ in range(30):
        world.serve()
        while world.wire.waiting:
            world.take(refused="not authorized")
        world.queue.clear()
        world.wait(10)
    assert world.wire.reconnects == []
    assert world.delivery.status.blocked == "not authorized"
    assert 3 < world.delivery.status.resent < 15
    world.wait(40)
    world.carry()
    assert world.complete
    assert not world.delivery.status.blocked


def test_a_full_link_is_tried_again_at_the_next_tick(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.wire.room = 0
    world.commit()
    world.serve()
    assert not world.wire.waiting
    world.wire.room = 10
    world.wait(1)
    world.carry()
    assert world.collector.stored == world.store.everything()


def test_the_window_is_as_wide_as_the_broker_allows(make_world: MakeWorld) -> None:
    world = make_world(max_bytes=1 << 20)
    for _ in range(10):
        world.commit(size=3000)
    world.connect(receive_max=3, max_packet=8000)
    world.serve()
    assert len(world.wire.waiting) == 2  # the backlog leaves room for what happens now
    world.commit(size=3000)
    world.commit(size=3000)
    world.serve()
    assert len(world.wire.waiting) == 3


def test_without_an_answer_batches_are_sent_again_ever_more_slowly_one_by_one(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    for _ in range(3):
        world.commit(size=1000)
        world.serve()
    while world.wire.waiting:
        world.take()
    world.queue.clear()
    before = counters[Event.BATCH_RESENT.value]
    sent_at = []
    for _ in range(100):
        world.wait(1)
        world.serve()
        while world.wire.waiting:
            world.take()
            sent_at.append(world.now)
    assert sent_at == [10.0, 30.0, 70.0]
    assert counters[Event.BATCH_RESENT.value] == before + 3 + 1 + 1
    assert world.delivery.status.resent == 3
    world.carry()
    world.carry()
    assert world.collector.stored == world.store.everything()


def test_a_collector_that_is_back_is_served_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.commit()
    world.carry()
    world.commit()
    world.serve()
    world.take()
    world.queue.clear()  # the broker had nobody to give it to
    world.tell(again=True, retain=True)
    assert not world.store.wanted  # an old request, from before we connected
    world.tell(again=True)
    world.carry()
    assert world.collector.stored == world.store.everything()
    assert world.now == 0


def test_a_broker_that_confirms_slowly_is_given_time_and_a_stuck_one_is_left(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    for _ in range(2):
        world.commit(size=1000)
        world.serve()
    world.wait(50)
    world.take()
    world.wait(50)
    assert not world.wire.reconnects
    world.wait(15)
    assert world.wire.reconnects == ["the broker confirms nothing"]


def test_what_is_not_our_acknowledgement_changes_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.commit()
    world.serve()
    before = counters[Event.MESSAGE_REFUSED.value]
    epochs = {"result": {world.store.epoch: (10, ())}}
    for topic, payload in (
        ("edge/v1/demo/d/pi-17/down/desired", ack.encode("demo", "pi-17", epochs)),
        (ACKS, ack.encode("demo", "pi-18", epochs)),
        (ACKS, ack.encode("other", "pi-17", epochs)),
        (ACKS, b"{}"),
        (ACKS, b"\xff" * 100),
        (ACKS, ack.encode("demo", "pi-17", {"metric": epochs["result"]})),
    ):
        world.delivery.on_message(LinkMessage(topic, payload, retain=False), world.now)
    assert set(world.store.acked.values()) == {0}
    assert world.in_flight == 1
    assert counters[Event.MESSAGE_REFUSED.value] == before + 4


def test_an_epoch_of_ours_that_somebody_else_writes_is_told(make_world: MakeWorld) -> None:
    world = make_world()
    before = counters[Event.DEVICE_DOUBLED.value]
    world.connect()
    world.commit()
    for step in range(10):
        world.collector.low["result", "00000000deadbeef"] = 1 + 10 * min(step, 3)
        world.carry()
        world.wait(1)
    assert counters[Event.DEVICE_DOUBLED.value] == before  # what a lost card had sent came at once
    for step in range(10):
        world.collector.low["result", "00000000deadbeef"] = 100 + step
        world.commit()
        world.carry()
        world.wait(1)
    assert counters[Event.DEVICE_DOUBLED.value] > before
