"""Changes of the models' rows, on their way through the store: in order, once, and none is lost."""

from __future__ import annotations

import queue
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.clock import SystemClock
from agent.errors import StoreBusy
from agent.slots import Change, Kept, Note
from agent.store.inbox import Asked, Put, Work
from agent.store.kept import read_kept
from agent.store.loop import StoreLoop
from agent.store.outbox import Outbox
from agent.store.reports import Changed, Committed, StoreFault, StoreRecovered
from agent.store.thread import MOST_CHANGES, Store
from tests.simulators.clocks import ManualClock
from tests.simulators.keeping import CHANGE, KEPT, WALL
from tests.simulators.outboxes import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.clock import Clock


def noting(number: int) -> Change:
    return Change(floors={"clock": number}, notes=(Note("model.activated", "door", {"n": number}),))


def asked(number: int) -> Asked:
    return Asked(noting(number), number, WALL, synced=True)


@contextmanager
def locked_state(folder: Path) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


class Bench:
    """A loop on a real folder, turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.said: list[Any] = []
        self.outbox = Outbox(folder, clock=self.clock, settings=SMALL)
        self.loop = StoreLoop(self.outbox, self.said.append)

    def turn(self, **work: Any) -> list[Any]:
        self.said.clear()
        self.loop.turn(Work(**work), self.clock.now)
        return list(self.said)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


def test_a_change_is_reported_when_it_is_durable_with_the_audit_logs_head(
    bench: Bench, tmp_path: Path
) -> None:
    assert bench.turn(changes=[Asked(CHANGE, 7, WALL, synced=True)]) == [Changed(7, KEPT.audit)]
    assert read_kept(tmp_path) == KEPT
    assert bench.loop.due(bench.clock.now) is None


def test_a_change_without_notes_reports_the_head_as_it_stands(bench: Bench) -> None:
    assert bench.turn(changes=[Asked(Change(), 1, WALL, synced=True)]) == [Changed(1, (0, ""))]
    bench.turn(changes=[asked(2)])
    [again] = bench.turn(changes=[Asked(Change(), 3, WALL, synced=True)])
    assert again.audit[0] == 1


def test_refused_changes_wait_and_land_once_and_in_their_order(bench: Bench, tmp_path: Path) -> None:
    with locked_state(tmp_path):
        [fault] = bench.turn(changes=[asked(1), asked(2)])
        assert isinstance(fault, StoreFault)
        assert bench.loop.due(bench.clock.now) == pytest.approx(0.2)
        assert bench.turn(changes=[asked(3)]) == []  # too early: nothing is tried, nothing overtakes
        for _ in range(3):
            bench.clock.tick(5.0)
            assert bench.turn() == []
        assert bench.loop.changed == 0
    bench.clock.tick(5.0)
    *done, recovered = bench.turn()
    assert [(one.token, one.audit[0]) for one in done] == [(1, 1), (2, 2), (3, 3)]
    assert recovered == StoreRecovered()
    assert bench.loop.changed == 3
    bench.clock.tick(60.0)
    assert bench.turn() == []
    assert read_kept(tmp_path).audit == done[-1].audit


def test_a_refused_change_holds_up_no_commit(bench: Bench, tmp_path: Path) -> None:
    with locked_state(tmp_path):
        said = bench.turn(changes=[asked(1)], puts=[Put([{}] * 4, {})])
        assert Committed("result", bench.outbox.epoch, 4, 4) in said


def test_a_full_ballast_is_given_up_for_a_change_that_finds_the_disk_full(tmp_path: Path) -> None:
    """SQLite's own limit on pages refuses as a full disk does."""
    with closing(Outbox(tmp_path, clock=ManualClock(), settings=SMALL)) as outbox:
        ballast = tmp_path / "ballast"
        ballast.write_bytes(bytes(4096))
        assert outbox._disk._state is not None
        db = outbox._disk._state._db
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count={pages}")
        large = Change(documents={"desired": bytes(100_000)})
        with pytest.raises(StoreBusy, match="the disk is full"):
            outbox.change(large, WALL, synced=True)
        assert not ballast.exists()
        assert read_kept(tmp_path) == Kept()
        db.execute("PRAGMA max_page_count=1000000")
        outbox.change(large, WALL, synced=True)
        assert read_kept(tmp_path).documents == large.documents


class Running:
    """A started store, and what it says."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.clock = ManualClock()
        self.store = Store(folder, self.said.put, clock=clock or self.clock, settings=SMALL)
        self.store.start()

    def until(self, token: int) -> Changed:
        while True:
            report = self.said.get(timeout=10)
            if isinstance(report, Changed) and report.token == token:
                return report


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.store.close(5)


def test_entries_are_dated_when_they_are_asked_for(running: Running, tmp_path: Path) -> None:
    with locked_state(tmp_path):
        running.store.change(CHANGE, 1)
        running.said.get(timeout=10)  # it was refused
        running.clock.tick(3600)
    running.clock.tick(5)
    assert running.until(1).audit == KEPT.audit  # whose entries are of the clock's first moment
    assert running.store.changing == 0


def test_no_more_changes_wait_than_memory_has_room_for(running: Running, tmp_path: Path) -> None:
    with locked_state(tmp_path):
        for number in range(MOST_CHANGES):
            running.store.change(noting(number), number)
        assert running.store.changing == MOST_CHANGES
        with pytest.raises(StoreBusy, match="256 changes wait"):
            running.store.change(noting(0), 0)
    running.clock.tick(60)
    assert running.until(MOST_CHANGES - 1).audit[0] == MOST_CHANGES


def test_a_stop_waits_for_changes_and_says_what_it_could_not_write(tmp_path: Path) -> None:
    running = Running(tmp_path, SystemClock())
    with locked_state(tmp_path):
        running.store.change(noting(1), 1)
        assert not running.store.close(0.3)
    assert running.store.changing == 1
    assert read_kept(tmp_path) == Kept()
    with pytest.raises(RuntimeError, match="change after close"):
        running.store.change(noting(2), 2)


def test_a_stop_writes_what_waits(running: Running, tmp_path: Path) -> None:
    running.store.change(noting(1), 1)
    assert running.store.close(5)
    assert read_kept(tmp_path).audit[0] == 1
