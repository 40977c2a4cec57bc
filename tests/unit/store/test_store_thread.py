from __future__ import annotations

import queue
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Position, unpack
from agent.clock import SystemClock
from agent.errors import FolderUnusable
from agent.store.reports import Acked, Committed, Leased, StoreFault, StoreRecovered
from agent.store.settings import StoreSettings
from agent.store.thread import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = StoreSettings(commit_interval_s=0.05, block_results=8, segment_bytes=1)


class Running:
    """A started store, and what it says."""

    def __init__(self, folder: Path, settings: StoreSettings = QUICK) -> None:
        self.said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.store = Store(folder, self.said.put, clock=SystemClock(), settings=settings)
        self.store.start()

    def next(self, kind: type) -> Any:
        """Wait for the next report of one kind; others are passed over."""
        while True:
            report = self.said.get(timeout=10)
            if isinstance(report, kind):
                return report

    def until_committed(self, last: int) -> None:
        while self.next(Committed).last < last:
            pass

    def drained(self) -> list[int]:
        after: Position | None = None
        found: list[int] = []
        while True:
            self.store.lease("result", after, 1000, 0)
            lease = self.next(Leased).lease
            if lease is None:
                return found
            found += [record["n"] for block in lease.blocks for record in unpack(block)[0]]
            after = Position(lease.epoch, lease.last)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    assert made.store.close(5)


def test_a_record_goes_in_is_leased_and_is_acknowledged(running: Running) -> None:
    running.store.put([{"n": 1}, {"n": 2}], {"p": {"captured": 2}})
    assert running.store.pending == 2
    committed = running.next(Committed)
    assert (committed.last, committed.count) == (2, 2)
    assert running.store.pending == 0
    running.store.lease("result", None, 1000, 0)
    lease = running.next(Leased).lease
    assert [record["n"] for record in unpack(lease.blocks[0])[0]] == [1, 2]
    assert unpack(lease.blocks[0])[1] == {"p": {"captured": 2}}
    running.store.ack("result", lease.epoch, 2)
    assert running.next(Acked) == Acked("result", lease.epoch, 2, 2)


def test_reports_come_from_the_thread_of_the_store(tmp_path: Path) -> None:
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    store = Store(tmp_path, lambda _: names.put(threading.current_thread().name), clock=SystemClock())
    store.start()
    store.lease("result", None, 1, 0)
    assert names.get(timeout=10) == "store"
    store.close(5)


def test_status_follows(running: Running) -> None:
    assert running.store.status().accepted == 0
    running.store.put([{}] * 8, {})
    running.until_committed(8)
    deadline = time.monotonic() + 30
    while running.store.status().committed != 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.store.status().backlog == 8


def test_many_threads_may_put(running: Running) -> None:
    def feed(start: int) -> None:
        for n in range(start, start + 100):
            running.store.put([{"n": n}], {})

    threads = [threading.Thread(target=feed, args=(start,)) for start in range(0, 400, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.until_committed(400)
    found = running.drained()
    assert sorted(found) == list(range(400))
    for start in range(0, 400, 100):
        assert [n for n in found if start <= n < start + 100] == list(range(start, start + 100))


def test_closing_commits_what_is_pending(tmp_path: Path) -> None:
    running = Running(tmp_path, StoreSettings(commit_interval_s=60))
    for n in range(10):
        running.store.put([{"n": n}], {})
    assert running.store.close(5)
    assert running.store.close(5)
    assert running.store.pending == 0
    again = Running(tmp_path)
    assert again.drained() == list(range(10))
    again.store.close(5)


def test_nothing_can_be_put_after_closing(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.store.close(5)
    with pytest.raises(RuntimeError):
        running.store.put([{}], {})


def test_a_store_that_was_not_started_closes(tmp_path: Path) -> None:
    store = Store(tmp_path, lambda _: None, clock=SystemClock())
    assert store.close(1)
    with pytest.raises(RuntimeError):
        store.status()


def test_a_folder_that_cannot_be_used_is_the_callers_news(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as theirs:
        theirs.execute("CREATE TABLE photos (id)")
    store = Store(tmp_path, lambda _: None, clock=SystemClock())
    with pytest.raises(FolderUnusable):
        store.start()
    assert store.close(1)


def test_the_heart_beats_while_nothing_happens(running: Running) -> None:
    first = running.store.heartbeat
    deadline = time.monotonic() + 30
    while running.store.heartbeat == first and time.monotonic() < deadline:
        time.sleep(0.02)
    assert 0 < running.store.heartbeat - first < 10


def test_a_disk_that_refuses_and_comes_back_costs_nothing(running: Running, tmp_path: Path) -> None:
    running.store.put([{"n": 0}] * 8, {})
    running.until_committed(8)
    (tmp_path / "segments").rename(tmp_path / "away")
    for n in range(1, 30):
        running.store.put([{"n": n}], {})
    assert "No such file" in str(running.next(StoreFault).error)
    assert running.store.pending == 29
    (tmp_path / "away").rename(tmp_path / "segments")
    running.next(StoreRecovered)
    running.until_committed(37)
    assert running.drained() == [0] * 8 + list(range(1, 30))
    assert running.store.pending == 0


def test_closing_gives_up_in_time_and_says_that_something_is_missing(tmp_path: Path) -> None:
    running = Running(tmp_path)
    (tmp_path / "segments").rename(tmp_path / "away")
    running.store.put([{"n": 1}], {})
    running.next(StoreFault)
    begun = time.monotonic()
    assert not running.store.close(0.3)
    assert time.monotonic() - begun < 10
    assert running.store.pending == 1


def test_closing_waits_for_a_disk_that_comes_back(tmp_path: Path) -> None:
    running = Running(tmp_path, StoreSettings(commit_interval_s=0.01))
    running.store.put([{"n": 1}], {})
    running.until_committed(1)
    path = next((tmp_path / "segments").glob("*.db"))
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        running.store.put([{"n": 2}], {})
        running.next(StoreFault)
        timer = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        timer.start()
        assert running.store.close(10)
        timer.join()
    again = Running(tmp_path)
    assert again.drained() == [1, 2]
    again.store.close(5)


def test_a_result_beside_a_metric_that_waits_longer_does_not_wait_for_it(tmp_path: Path) -> None:
    running = Running(tmp_path, StoreSettings(commit_interval_s=0.05, metric_interval_s=30.0))
    running.store.put([{"n": 0}], {}, "metric")
    while running.store.status().streams["metric"].accepted == 0:
        time.sleep(0.005)
    took = []
    for n in range(5):
        began = time.monotonic()
        running.store.put([{"n": n}], {})
        assert running.next(Committed).stream == "result"
        took.append(time.monotonic() - began)
    assert min(took) < 0.5  # it was the thread's beat of a second; the machine may be busy
    assert running.store.close(5)


def test_a_turn_that_hangs_is_not_healthy_and_leaves_records_queued(tmp_path: Path) -> None:
    running = Running(tmp_path)
    hangs = threading.Event()
    inside = threading.Event()

    def post(report: object) -> None:
        if isinstance(report, Committed):
            inside.set()
            hangs.wait(20)

    running.store._loop._post = post  # type: ignore[union-attr]
    running.store.put([{"n": 1}], {})
    assert inside.wait(10)
    running.store.put([{"n": 2}, {"n": 3}], {})
    now = running.store.heartbeat
    assert running.store.healthy(now + 19)
    assert not running.store.healthy(now + 21)
    assert running.store.queued == 2
    hangs.set()
    assert running.store.close(5)
    assert running.store.queued == 0
    assert not running.store.healthy(now)


def test_a_disk_that_is_only_slow_does_not_count_as_one_that_refuses(tmp_path: Path) -> None:
    """A thread that looks while a commit is under way must not let go of the back-pressure."""
    running = Running(tmp_path)
    seen: list[bool] = []
    outbox = running.store._loop._outbox  # type: ignore[union-attr]
    append = outbox.queues["result"].live.chain.append

    def slow(blocks: Any) -> None:
        seen.append(running.store.refusing)
        append(blocks)

    outbox.queues["result"].live.chain.append = slow  # type: ignore[method-assign]
    running.store.put([{"n": 1}], {})
    running.until_committed(1)
    assert seen == [False]
    assert running.store.close(5)
