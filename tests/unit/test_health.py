"""What systemd is told, on a real datagram socket."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from agent.events import counters
from agent.health import Notifier

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


@pytest.mark.parametrize(("pid", "fed"), [(os.getpid(), 1), (1, 0)])
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
