"""What the collector once had, or cannot be told of at once, is sent in the end: there is no dead-lock."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.simulators.delivery_world import World

if TYPE_CHECKING:
    from agent.blocks import Stream
    from tests.conftest import MakeWorld


def test_a_collector_that_lost_what_lay_beside_the_backlog_gets_it_again(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(20):
        world.commit(size=1000)
    world.connect()
    world.serve()
    before = deepcopy(world.collector)
    for _ in range(3):
        world.commit(size=1000)
        world.carry()
    assert world.delivery._have["result", world.store.epoch]
    world.collector.restore(before)
    for _ in range(60):
        world.carry()
        world.wait(1)
    assert world.complete
    assert world.store.drained


def test_a_hole_is_filled_before_the_rest_of_the_backlog_has_passed(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(100):
        world.commit(size=1000)
    before = deepcopy(world.collector)
    epoch = world.store.epoch
    world.collector.stored |= {("result", epoch, seq) for seq in range(11, 501)}
    world.collector.low["result", epoch] = 1
    world.connect()
    world.tell(retain=True)
    world.collector.restore(before)
    for _ in range(12):
        world.serve()
        while world.wire.waiting:
            world.take()
        while len(world.queue) > 2:  # something is always on its way
            world.collector.take(world.queue.pop(0))
        world.tell()
    assert ("result", epoch, 501) in world.collector.stored
    assert ("result", epoch, 11) in world.collector.stored
    assert ("result", epoch, 1000) not in world.collector.stored


def test_more_losses_than_a_header_tells_are_told_one_after_the_other_at_once(make_world: MakeWorld) -> None:
    world = make_world(max_bytes=1 << 20)
    for _ in range(300):
        world.commit(1)
    for seq in range(2, 300, 2):
        world.store.lose("result", world.store.epoch, seq, seq)
    world.connect()
    for _ in range(40):
        world.carry()
    assert world.now == 0
    assert len(world.collector.lost) == 149
    assert world.complete
    assert world.store.drained


def test_losses_below_what_is_stored_already_are_declared_though_nothing_new_comes(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    for _ in range(3):
        world.commit(1)
    world.connect(receive_max=2)
    for _ in range(2):
        world.answer()
    backlog = world.store.wanted.pop(0)
    world.commit(1)
    world.carry()
    assert world.collector.stored == {("result", world.store.epoch, 4)}
    world.store.lose("result", world.store.epoch, 1, 3)
    world.store.wanted.append(backlog)
    for _ in range(3):
        world.carry()
        world.wait(11)
    assert world.complete
    assert world.store.drained


@pytest.mark.parametrize("lost", ["the disk was away", "too far"])
def test_an_acknowledgement_that_the_store_did_not_take_is_given_again(
    make_world: MakeWorld, lost: str
) -> None:
    world = make_world()
    for _ in range(3):
        world.commit()
    world.connect()
    world.serve()
    world.bring()
    if lost == "the disk was away":  # and the card knows less than the collector
        world = World(before=world, away=True)
        world.connect()
        world.tell(retain=True)
        world.serve()
        world.bring_the_disk_back()
    else:  # a word that cannot be: the live epoch has no such records
        world.collector.low["result", world.store.epoch] = 1000
        world.tell()
    for _ in range(10):
        if world.store.wanted:
            world.answer()
    assert not world.store.wanted
    backlog = world.store.outbox.status().streams["result"].backlog
    assert backlog == (0 if lost == "the disk was away" else 30)
    assert not world.wire.waiting


def test_what_a_late_disk_brings_is_sent_though_live_results_have_fallen_behind(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.commit()
    world = World(before=world, away=True)
    world.connect()
    world.serve()  # nothing, for all that the store knows
    world.store.bring_back()
    for _ in range(8):
        world.commit(1, 900)
        world.wait(1)
    world.delivery.on_committed(None, world.now)
    for _ in range(3):
        world.carry()
        world.wait(11)
    assert world.complete
    assert world.store.drained


def test_what_is_left_of_a_block_of_which_a_part_is_acknowledged_is_sent_alone(make_world: MakeWorld) -> None:
    world = make_world(bytes_per_s=2000)
    world.store.outbox.put([{"n": n, "noise": Random(n).randbytes(900).hex()} for n in range(1, 9)], {})
    world.store.outbox.flush()
    place: tuple[Stream, str] = ("result", world.store.epoch)
    world.store.committed[place], world.store.acked[place] = 8, 0
    world.connect()
    for _ in range(3):
        world.carry()
        world.wait(0.1)
    assert 0 < world.store.acked[place] < 8
    for _ in range(10):
        world.lose()  # the window is forgotten: only what is acknowledged tells where to go on
        world.connect()
        world.carry()
        world.wait(1)
    assert world.complete
    assert world.collector.duplicates == 0


def test_a_restored_collector_is_told_that_what_it_had_of_a_block_does_not_come_again(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.commit(4, 18_000)  # too large for the broker: it goes in parts
    before = deepcopy(world.collector)
    world.connect(max_packet=20_000, receive_max=1)
    world.serve()
    world.bring()
    world.tell()
    assert 0 < world.delivery.status.streams["result"].acked < 4
    world.lose()
    world.collector.restore(before)
    world.connect()
    for _ in range(3):
        world.carry()
        world.wait(11)
    assert world.complete
    assert world.store.drained


def test_sixty_five_ranges_beside_the_backlog_cost_duplicates_at_most(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(200):
        world.commit(1)
    taken = {seq for seq in range(2, 200) if seq % 3}
    world.collector.stored |= {("result", world.store.epoch, seq) for seq in taken}
    world.collector.low["result", world.store.epoch] = 1
    world.connect()
    world.tell(retain=True)
    for _ in range(100):
        world.carry()
        world.wait(0.1)
    assert world.complete
    assert world.store.drained


def test_what_the_collector_said_before_does_not_make_a_slow_link_wait_for_less(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.connect()
    world.commit()
    world.serve()
    world.wait(65)
    world.lose()
    world.connect()
    world.tell(retain=True)
    world.serve()
    world.wait(65)
    assert world.wire.reconnects == ["the broker confirms nothing"]
