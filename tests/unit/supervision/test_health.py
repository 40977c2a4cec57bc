"""What systemd is told, on a real datagram socket."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.events import counters
from agent.store.reports import Committed
from agent.store.thread import Store
from agent.supervision.health import Notifier, earned, in_words
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self.sock.setblocking(False)
        self.address = address

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.sock.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(autouse=True)
def _no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["file", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    monkeypatch.chdir(tmp_path)  # a socket's path has 107 bytes at most
    address = "notify" if request.param == "file" else f"@edge-agent-test-{os.getpid()}"
    manager = Manager(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    yield manager
    manager.sock.close()


def test_ready_and_stopping_are_said_as_sd_notify_has_them(manager: Manager) -> None:
    notifier = Notifier()
    notifier.ready("2 pipelines")
    notifier.stopping(5.0)
    assert manager.heard() == ["READY=1\nSTATUS=2 pipelines", "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000"]


def test_the_watchdog_is_fed_twice_in_its_time(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    notifier = Notifier()
    for second in range(61):
        notifier.alive(1000.0 + second, earned=True)
    assert manager.heard() == ["WATCHDOG=1"] * 5


def test_the_watchdog_starves_while_its_food_is_not_earned(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    notifier = Notifier()
    for second in range(100):
        notifier.alive(1000.0 + second, earned=False)
    assert manager.heard() == []
    notifier.alive(1100.0, earned=True)
    assert manager.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize(("pid", "fed"), [(os.getpid(), 1), (1, 0)], ids=["this process", "another"])
def test_a_watchdog_of_another_process_is_not_fed(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, pid: int, fed: int
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.setenv("WATCHDOG_PID", str(pid))
    Notifier().alive(1000.0, earned=True)
    assert len(manager.heard()) == fed


def test_without_a_watchdog_nothing_is_fed(manager: Manager) -> None:
    Notifier().alive(1000.0, earned=True)
    assert manager.heard() == []


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    before = counters["notify.failed"]
    notifier = Notifier()
    notifier.ready("")
    notifier.alive(1000.0, earned=True)
    notifier.stopping(5.0)
    assert counters["notify.failed"] == before


def test_a_manager_that_is_away_does_not_end_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    before = counters["notify.failed"]
    Notifier().ready("")
    assert counters["notify.failed"] == before + 1


def test_a_manager_that_does_not_read_does_not_block_the_agent(manager: Manager) -> None:
    before = counters["notify.failed"]
    notifier = Notifier()
    for _ in range(2000):
        notifier.stopping(5.0)
    assert counters["notify.failed"] > before
    heard = manager.heard()
    assert 0 < len(heard) < 2000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, lambda report: None, clock=SystemClock())
    store.start()
    yield store
    assert store.close(10)


def test_the_status_line_says_how_the_agent_is_doing(store: Store) -> None:
    states = [State.RUNNING, State.BACKOFF, State.RUNNING]
    line = "2 of 3 pipelines running, 0 records waiting, link none"
    assert in_words(states, store, None, "") == line
    assert in_words(states, store, None, "the disk is full") == f"{line}; store: the disk is full"


def test_the_status_line_is_told_when_it_is_new_and_every_five_seconds_at_most(manager: Manager) -> None:
    notifier = Notifier()
    notifier.ready("starting")
    for second, line in enumerate(["starting", "one", "two", "three", "four", "five", "five"]):
        notifier.tell(1000.0 + second, lambda line=line: line)  # type: ignore[misc]
    notifier.tell(1010.0, lambda: "five")
    assert manager.heard() == ["READY=1\nSTATUS=starting", "STATUS=five"]


def test_a_store_that_hangs_does_not_earn_the_watchdogs_food(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    hangs, inside = threading.Event(), threading.Event()

    def post(report: object) -> None:
        if isinstance(report, Committed):
            inside.set()
            hangs.wait(20)

    store = Store(tmp_path, post, clock=SystemClock())
    store.start()
    notifier = Notifier()
    notifier.alive(1.0, earned=earned(store, None, store.heartbeat))
    store.put([{"n": 1}], {}, "alert")  # at once
    assert inside.wait(10)
    for second in range(2, 10):
        notifier.alive(float(second), earned=earned(store, None, store.heartbeat + 21))
    assert manager.heard() == ["WATCHDOG=1"]
    hangs.set()
    assert store.close(10)
    assert not earned(store, None, store.heartbeat)
