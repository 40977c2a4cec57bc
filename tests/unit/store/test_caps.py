"""What goes first when a bound is reached, how it is counted, and how the collector learns of it."""

from __future__ import annotations

import random
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS, Loss, Stream
from agent.errors import StoreBusy
from agent.events import counters
from agent.store.caps import Caps
from agent.store.settings import StoreSettings
from agent.store.state import State
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import drained, fill, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path

    from agent.store.outbox import Outbox

CAP = 1 << 20
SMALL = StoreSettings(max_bytes=CAP, block_results=16)


def put(outbox: Outbox, count: int, stream: Stream = "result", size: int = 2000) -> int:
    """Store records that do not compress, 16 in each commit; give the last one's number."""
    last = 0
    for n in range(count):
        last = outbox.put([{"n": n, "x": random.Random(n).randbytes(size // 2).hex()}], {}, stream)
        if n % 16 == 15:
            outbox.flush()
    outbox.flush()
    return last


def held(outbox: Outbox, stream: Stream = "result") -> int:
    return sum(block.count for lease in drained(outbox, stream=stream) for block in lease.blocks)


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_everything_in_the_folder_stays_below_the_cap_and_the_newest_results_are_there(
    tmp_path: Path,
) -> None:
    with closing(opened(tmp_path, SMALL)) as outbox:
        for _ in range(10):
            last = put(outbox, 300)
            assert bytes_in(tmp_path) <= CAP
        [lease] = drained(outbox)[-1:]
        assert lease.last == last
        status = outbox.status().streams["result"]
        assert status.evicted == last - status.backlog
        assert status.backlog * 1000 > CAP // 2  # no more goes than has to


def test_metrics_go_before_results_and_results_before_alerts(tmp_path: Path) -> None:
    with closing(opened(tmp_path, SMALL)) as outbox:
        for stream in STREAMS:
            put(outbox, 150, stream)
        assert [outbox.status().streams[stream].evicted for stream in STREAMS] == [0, 0, 0]
        evicted = []
        for _ in range(12):
            put(outbox, 100, "alert")
            evicted.append([outbox.status().streams[stream].evicted for stream in STREAMS])
        metrics_gone = next(n for n, (_, _, metrics) in enumerate(evicted) if metrics)
        results_gone = next(n for n, (_, results, _) in enumerate(evicted) if results)
        alerts_gone = next(n for n, (alerts, _, _) in enumerate(evicted) if alerts)
        assert metrics_gone < results_gone < alerts_gone
        assert evicted[results_gone - 1][0] == evicted[alerts_gone - 1][0] == 0
        assert held(outbox, "metric") <= 16  # a block or two in the file being written are spared


def test_a_less_important_stream_makes_room_with_the_file_that_it_is_writing(tmp_path: Path) -> None:
    settings = StoreSettings(max_bytes=CAP, block_results=16, segment_bytes=CAP)
    with closing(opened(tmp_path, settings)) as outbox:
        metrics = put(outbox, 40, "metric")
        while not (gone := outbox.status().streams["metric"].evicted):
            put(outbox, 64, "alert")
        assert gone == metrics
        assert put(outbox, 1, "metric") == metrics + 1
        [lease] = drained(outbox, stream="metric")
        assert (numbers(lease), lease.low) == ([0], metrics + 1)
        [loss] = lease.lost
        assert (loss.first, loss.last, loss.reason) == (1, metrics, "evicted")


def test_on_a_full_disk_nothing_goes_that_is_more_important_than_what_comes(tmp_path: Path) -> None:
    with closing(opened(tmp_path, SMALL)) as outbox:
        put(outbox, 100, "alert")
        put(outbox, 100, "result")
        caps = outbox.caps
        assert isinstance(caps, Caps)
        assert not caps.evict("the disk is full", room_for="metric")
        while caps.evict("the disk is full", room_for="result"):
            pass
        assert held(outbox, "alert") == 100
        assert outbox.status().streams["result"].evicted > 0


def test_each_evicted_record_is_counted_dated_and_declared(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = StoreSettings(max_bytes=CAP, block_results=4, segment_bytes=1)
    said = counters["store.evicted"]
    with closing(opened(tmp_path, settings, clock)) as outbox:
        walls = []
        while not (gone := outbox.status().streams["result"].evicted):
            clock.tick(10)
            walls += [clock.wall] * 4
            outbox.put([{"x": random.Random(len(walls)).randbytes(30_000).hex()}] * 4, {})
            outbox.flush()
        assert counters["store.evicted"] == said + gone
        lease = outbox.lease(None, 1)
        assert lease is not None
        assert lease.lost == (Loss(1, gone, "evicted", walls[0], walls[gone - 1]),)
        assert (lease.low, lease.first) == (gone + 1, gone + 1)
    with closing(State(tmp_path / "state.db")) as state:
        assert state.counters()["lost_evicted_result"] == gone
    with closing(opened(tmp_path, settings, clock)) as outbox:
        assert outbox.status().streams["result"].evicted == gone


def test_an_epoch_that_is_wholly_lost_is_declared_until_that_is_acknowledged(tmp_path: Path) -> None:
    settings = StoreSettings(max_bytes=CAP, block_results=16)
    with closing(opened(tmp_path, settings)) as outbox:
        last = put(outbox, 32, "metric")
        epoch = outbox.epoch
    with closing(opened(tmp_path, settings)) as outbox:
        put(outbox, 3000)
        lease = outbox.lease(None, 1000, "metric")
        assert lease is not None
        assert (lease.epoch, lease.blocks, lease.live, lease.low) == (epoch, (), False, last + 1)
        assert [(loss.first, loss.last, loss.reason) for loss in lease.lost] == [(1, last, "evicted")]
    with closing(opened(tmp_path, settings)) as outbox:
        assert outbox.lease(None, 1000, "metric") == lease
        assert outbox.ack(epoch, last, "metric") == 0
        outbox.settle()
        assert outbox.lease(None, 1000, "metric") is None
    with closing(State(tmp_path / "state.db")) as state:
        assert (epoch, "metric") not in {(row.epoch, row.stream) for row in state.epochs()}
        assert [place for place in state.losses() if place == ("metric", epoch)] == []


def test_a_record_is_too_old_by_the_time_that_the_agent_ran_and_not_by_the_wall_clock(
    tmp_path: Path,
) -> None:
    settings = StoreSettings(block_results=4, segment_bytes=1, max_age_s=3600)
    clock = ManualClock()
    with closing(opened(tmp_path, settings, clock)) as outbox:
        fill(outbox, 2)
        clock.wall += 10 * 365 * 86_400 * 10**9
        fill(outbox, 1, 3)
        assert outbox.status().streams["result"].evicted == 0
        clock.tick(1800)
        fill(outbox, 1, 4)
    clock = ManualClock(wall=0)  # a boot in 1970, after any time without power
    with closing(opened(tmp_path, settings, clock)) as outbox:
        fill(outbox, 1, 5)
        assert outbox.status().streams["result"].evicted == 0
        clock.tick(1801)
        fill(outbox, 1, 6)
        assert outbox.status().streams["result"].evicted == 3
        assert [numbers(lease) for lease in drained(outbox) if lease.blocks] == [[4], [5], [6]]


def test_what_waited_in_memory_while_the_past_was_unknown_is_not_taken_for_old(tmp_path: Path) -> None:
    settings = StoreSettings(block_results=4, segment_bytes=1, max_age_s=3600)
    clock = ManualClock()
    with closing(opened(tmp_path, settings, clock)) as outbox:
        clock.tick(10_000)
        fill(outbox, 1)
    (tmp_path / "segments").rename(tmp_path / "away")
    (tmp_path / "segments").write_bytes(b"")  # no folder can be made there
    with closing(opened(tmp_path, settings, ManualClock())) as outbox:
        with pytest.raises(StoreBusy):
            fill(outbox, 1, 2)
        (tmp_path / "segments").unlink()
        (tmp_path / "away").rename(tmp_path / "segments")
        outbox.flush()
        leases = drained(outbox)
        assert [numbers(lease) for lease in leases] == [[1], [2]]
        ages = [block.times.powered_s for lease in leases for block in lease.blocks if block.times]
        assert ages == [10_000, 10_000]


def test_memory_gives_up_the_least_important_first_and_oldest_first(tmp_path: Path) -> None:
    settings = StoreSettings(block_results=4, memory_bytes=60_000)
    (tmp_path / "segments").write_bytes(b"")
    with closing(opened(tmp_path, settings)) as outbox:
        for stream in STREAMS:
            outbox.put([{"x": random.Random(1).randbytes(5000).hex()}] * 4, {}, stream)
            outbox.put([{"x": random.Random(2).randbytes(5000).hex()}] * 4, {}, stream)
        with pytest.raises(StoreBusy):
            outbox.flush()
        assert sum(queue.in_memory() for queue in outbox.queues.values()) <= settings.memory_bytes
        lost = {stream: outbox.status().streams[stream].lost for stream in STREAMS}
        while outbox.status().streams["alert"].lost == 0:
            outbox.put([{"x": random.Random(3).randbytes(5000).hex()}] * 4, {}, "alert")
            outbox.shed()
            now = {stream: outbox.status().streams[stream].lost for stream in STREAMS}
            assert now["result"] <= lost["result"] or now["metric"] == 8
            assert not now["alert"] or now["result"] == 8
        (tmp_path / "segments").unlink()
        outbox.flush()
        for stream in STREAMS:
            [last] = drained(outbox, stream=stream)[-1:]
            count = outbox.status().streams[stream].lost
            assert [(loss.first, loss.last, loss.reason) for loss in last.lost] == [(1, count, "unwritten")]


def test_what_was_delivered_from_memory_is_not_called_lost_after_a_crash(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "segments").write_bytes(b"")
    with closing(opened(folder)) as outbox:
        outbox.put([{"n": 1}], {})
        with pytest.raises(StoreBusy):
            outbox.flush()
        assert [numbers(lease) for lease in drained(outbox)] == [[1]]
        assert outbox.ack(outbox.epoch, 1) == 1
        (folder / "segments").unlink()
        outbox.put([{"n": 2}], {})
        outbox.flush()
        shutil.copytree(folder, tmp_path / "crashed", ignore=shutil.ignore_patterns("*-shm"))
    with closing(opened(tmp_path / "crashed")) as outbox:
        [lease] = drained(outbox)
        assert (numbers(lease), lease.low, lease.lost) == ([2], 2, ())
