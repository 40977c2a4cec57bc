"""The lanes of the delivery: what is urgent does not wait, and nothing is sent that the collector has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.events import Event, counters
from agent.link.lane import Pace

if TYPE_CHECKING:
    from tests.conftest import MakeWorld


def test_what_happens_now_does_not_wait_for_the_backlog(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(50):
        world.commit(size=1000)
    world.connect()
    world.serve()
    world.commit(size=10)
    now = world.store.committed["result", world.store.epoch]
    world.commit(size=10, stream="alert")
    for _ in range(2):
        world.carry()
    assert ("result", world.store.epoch, now) in world.collector.stored
    assert ("alert", world.store.epoch, 10) in world.collector.stored
    assert not world.complete
    assert world.store.acked["result", world.store.epoch] < now  # only what is contiguous is deleted
    for _ in range(40):
        world.carry()
    assert world.complete
    assert world.collector.duplicates == 0
    assert world.store.drained


def test_what_the_collector_has_is_not_sent_again_after_a_new_link(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(30):
        world.commit(size=1000)
    world.connect()
    world.serve()
    for _ in range(5):
        world.commit(size=1000)
        world.carry()
    world.lose()
    world.queue.clear()
    stored = len(world.collector.stored)
    world.connect()
    world.tell(retain=True)
    for _ in range(60):
        world.carry()
    assert world.complete
    assert world.store.drained
    assert world.collector.duplicates <= 20  # what was leased before the acknowledgement came
    assert len(world.collector.stored) > stored


def test_a_cap_on_the_bandwidth_is_kept_and_alerts_do_not_wait_for_it(make_world: MakeWorld) -> None:
    world = make_world(max_bytes=1 << 20, bytes_per_s=10_000)
    for _ in range(200):
        world.commit(size=1000)
    world.connect()
    for _ in range(40):
        world.carry()
        world.wait(0.5)
    assert 0.8 * 20 * 10_000 < world.wire.sent < 1.2 * 21 * 10_000
    world.commit(stream="alert")
    world.carry()
    assert ("alert", world.store.epoch, 10) in world.collector.stored


def test_a_collector_that_says_nothing_for_minutes_is_reported_once(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.commit()
    world.serve()
    before = counters[Event.COLLECTOR_SILENT.value]
    for _ in range(40):
        world.wait(10)
        world.serve()
        while world.wire.waiting:
            world.take()
    assert world.delivery.status.silent
    assert counters[Event.COLLECTOR_SILENT.value] == before + 1
    world.queue.clear()
    world.tell()
    assert not world.delivery.status.silent


def test_the_delay_of_live_results_is_known(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    assert world.delivery.status.live_p95_ms is None
    for _ in range(20):
        world.commit()
        world.now += 0.25
        world.carry()
    assert world.delivery.status.live_p95_ms == pytest.approx(250)


def test_a_lane_has_no_more_on_its_way_than_is_acknowledged_in_a_moment() -> None:
    pace = Pace()
    now = 0.0
    for _ in range(40):  # 50 kB are acknowledged each quarter of a second
        now += 0.25
        pace.acked(50_000, now)
    assert pace.bytes == pytest.approx(0.4 * 200_000, rel=0.3)
    for _ in range(40):
        now += 0.25
        pace.acked(1_000_000, now)
    assert pace.bytes == 1 << 20
    for _ in range(40):
        now += 0.25
        pace.acked(100, now)
    assert pace.bytes == 8 << 10
