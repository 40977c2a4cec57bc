"""The lanes of the delivery: what is urgent does not wait, and nothing is sent that the collector has."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS
from agent.events import Event, counters
from agent.link import batch
from agent.link.lane import Pace
from agent.link.seams import StreamStatus

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
    world.commit(size=10, stream="metric")
    world.serve()
    sent = [batch.decode(payload, None) for _, payload in world.wire.waiting]
    assert {one.lane for one in sent} == {"alert", "live", "backlog", "metric"}
    assert {one.lane: one.lease.last for one in sent}["live"] == now
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


def test_what_a_link_has_never_answered_is_less_the_next_time() -> None:
    pace = Pace()
    pace.acked(4096, 1.0)
    for kbytes in (128, 128, 64, 32, 16, 8, 8):
        assert pace.bytes == kbytes << 10
        pace.restart(unanswered=True)


@pytest.mark.parametrize("answer_s", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("rate", [50_000, 400_000])
def test_a_far_collector_is_served_as_fast_as_the_link_is_and_little_queues(
    answer_s: float, rate: float
) -> None:
    pace = Pace()
    on_its_way: deque[tuple[float, float, int]] = deque()  # sent at, answered at, size
    now = free_at = sent = 0.0
    longest = 0.0
    for _ in range(30_000):  # of a millisecond
        now += 0.001
        while sum(size for *_, size in on_its_way) < pace.bytes:
            free_at = max(now, free_at) + 4096 / rate
            on_its_way.append((now, free_at + answer_s, 4096))
        while on_its_way and on_its_way[0][1] <= now:
            at, _, size = on_its_way.popleft()
            pace.acked(size, now, now - at)
            sent += size if now > 10 else 0
            longest = max(longest, now - at if now > 10 else 0)
    assert sent / 20 > 0.9 * min(rate, (1 << 20) / answer_s)
    assert longest < answer_s + 0.4 + 0.35


def test_with_one_batch_on_its_way_at_a_time_no_stream_waits_for_ever(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(20):
        world.commit()
        world.commit(stream="metric")
    world.connect(receive_max=1)
    for _ in range(200):
        world.commit(stream="alert")
        world.commit()
        world.serve()
        while world.wire.waiting:
            world.take()
        assert len(world.queue) <= 1
        while world.queue:
            world.collector.take(world.queue.pop())
        world.tell()
        if len(world.collector.low) == 3 and world.store.acked["metric", world.store.epoch]:
            break
    acked = world.store.acked
    assert acked["metric", world.store.epoch] > 0
    assert acked["result", world.store.epoch] > 0
    assert acked["alert", world.store.epoch] > 20 * acked["metric", world.store.epoch] / 10


def test_all_lanes_together_keep_to_a_megabyte(make_world: MakeWorld) -> None:
    world = make_world(max_bytes=1 << 20, segment_bytes=1 << 20)
    for stream in STREAMS:
        for _ in range(20):
            world.commit(size=50_000, stream=stream)
    world.connect()
    for _ in range(10):
        world.commit(size=50_000)
    world.serve()
    assert 900_000 < sum(len(payload) for _, payload in world.wire.waiting) < (1 << 20) + 400_000
    for _ in range(40):
        world.carry()
    assert world.complete


def test_under_a_cap_live_results_come_first_and_the_backlog_still_moves(make_world: MakeWorld) -> None:
    world = make_world(bytes_per_s=10_000, max_bytes=1 << 20)
    for _ in range(400):
        world.commit(size=1000)
    world.connect()
    world.carry()
    for _ in range(80):
        world.commit(1, size=1500)
        for _ in range(5):
            world.wait(0.1)
            world.carry()
    delay = world.delivery.status.live_p95_ms
    assert delay is not None
    assert delay < 1000
    assert world.store.acked["result", world.store.epoch] > 100
    assert 8_000 < world.delivery.status.rate < 11_000


def test_the_status_tells_of_each_stream(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    world.commit(stream="alert")
    world.commit()
    world.carry()
    world.commit()
    world.serve()
    status = world.delivery.status
    assert replace(status.streams["alert"], sent_bytes=0) == StreamStatus(1, 0, 0, in_flight=0, acked=10)
    assert replace(status.streams["result"], sent_bytes=0) == StreamStatus(2, 0, 0, in_flight=1, acked=10)
    assert status.streams["metric"] == StreamStatus(0, 0, 0, in_flight=0, acked=0)
    assert status.streams["alert"].sent_bytes > 100
    assert (status.sent, status.in_flight) == (3, 1)


def test_what_is_sent_beside_the_backlog_makes_it_no_repetition(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(10):
        world.commit(size=1000)
    world.connect()
    world.serve()
    world.commit()
    for _ in range(10):
        world.carry()
    assert world.complete
    assert world.delivery.status.resent == 0


def test_live_results_that_waited_too_long_are_backlog_and_what_happens_now_goes_first(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.connect()
    for _ in range(3):
        world.commit(size=1500)
        world.carry()
    for _ in range(60):  # the collector is away, the link is not
        world.commit(size=1500)
        world.serve()
        while world.wire.waiting:
            world.take()
        world.wait(1)
    world.commit(1)
    newest = ("result", world.store.epoch, world.store.committed["result", world.store.epoch])
    for _ in range(6):
        world.carry()
    assert newest in world.collector.stored
    assert len(world.collector.stored) < 500
    assert not world.complete
    for _ in range(60):
        world.carry()
        world.wait(1)
    assert world.complete
    assert world.store.drained
    assert world.delivery.status.resent <= 12  # while nobody answered


def test_a_slow_collector_gets_what_happens_now_and_the_rest_beside_it_once(make_world: MakeWorld) -> None:
    world = make_world()
    world.connect()
    for _ in range(60):  # it takes one batch a second, and five are made
        for _ in range(5):
            world.commit(1, size=900)
        world.serve()
        while world.wire.waiting:
            world.take()
        world.collector.take(world.queue.pop(0))
        world.tell()
        world.wait(1)
    newest = world.store.committed["result", world.store.epoch]
    latest = max(seq for stream, _, seq in world.collector.stored if stream == "result")
    assert newest - latest < 150  # what is on its way; 240 and growing if all were sent in order
    for _ in range(120):
        world.carry()
        world.wait(1)
    assert world.complete
    assert world.store.drained
    assert world.collector.duplicates == 0
