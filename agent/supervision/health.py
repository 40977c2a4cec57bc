"""What systemd is told: ready, alive, stopping. Does nothing when systemd did not start us (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

from agent.errors import AgentError, FolderUnusable
from agent.events import Event, emit
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.store.thread import Store
    from agent.uplink.uplink import Uplink

_TELL_S = _LOOK_S = 5.0
_ENDING_S = 25.0
"""What an end may take besides the drain: a worker that hangs, the last commit, the broker's farewell."""

START_AGAIN = "Start the agent again; if it happens again, report it with its log"


def check_threads(store: Store, uplink: Uplink | None) -> None:
    """Look whether the threads live that the loop cannot do without.

    Raises:
        AgentError: one has died.
    """
    if not store.alive:
        raise AgentError("run", "store thread", "it has died", START_AGAIN)
    if uplink and not uplink.running:
        raise AgentError("run", "link thread", "it has died", START_AGAIN)


def earned(store: Store, uplink: Uplink | None, now: float) -> bool:
    """Whether the watchdog may be fed, once a loop's turn has come so far: both threads do their work."""
    return store.healthy(now) and (uplink is None or uplink.alive(now))


def in_words(states: Sequence[State], store: Store, uplink: Uplink | None, problem: str) -> str:
    """Say in one line how the agent is doing, for ``systemctl status``."""
    running = sum(state is State.RUNNING for state in states)
    link = str(uplink.status()["state"]) if uplink else "none"
    line = (
        f"{running} of {len(states)} pipelines running, {store.status().backlog} records waiting, link {link}"
    )
    return f"{line}; store: {problem}" if problem else line


class Lookout:
    """Ends the agent rather than to go on without a thread, or on a folder that is gone.

    Args:
        store: has one.
        uplink: likewise, where there is one.
        folder: the data folder.
        intact: whether it is still the one that was opened.
    """

    def __init__(self, store: Store, uplink: Uplink | None, folder: Path, intact: Callable[[], bool]) -> None:
        self._store, self._uplink, self._folder, self._intact = store, uplink, folder, intact
        self._next = 0.0

    def look(self, now: float) -> None:
        """Look; a new start may do better.

        Raises:
            AgentError: a thread has died, or the folder is gone.
        """
        check_threads(self._store, self._uplink)
        if now >= self._next:
            self._next = now + _LOOK_S
            if not self._intact():
                problem = "it was removed or replaced while the agent ran"
                raise FolderUnusable("use data folder", str(self._folder), problem, START_AGAIN)


class Notifier:
    """Sends notifications to the service manager."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        watchdog_us = int(os.environ.get("WATCHDOG_USEC", "0") or "0")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = watchdog_us / 2e6 if mine else 0.0
        self._next = 0.0
        self._told = ""
        self._tell_at = 0.0

    def ready(self, status: str) -> None:
        """Say that start-up is over."""
        self._told = status
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self, drain_s: float) -> None:
        """Say that we are about to end, and how long that may take: the drain, and what belongs to it."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round((drain_s + _ENDING_S) * 1e6)}")

    def reloading(self) -> None:
        """Say that we begin anew in this process; ``ready`` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def tell(self, now: float, status: Callable[[], str]) -> None:
        """Say how we are doing, every five seconds at most, and only what is new."""
        if not self._address or now < self._tell_at:
            return
        self._tell_at = now + _TELL_S
        if (line := status()) != self._told:
            self._told = line
            self._send(f"STATUS={line}")

    def alive(self, now: float, *, earned: bool) -> None:
        """Feed the watchdog when half its time is over, and only when it is earned."""
        if self._watchdog_s and earned and now >= self._next:
            self._next = now + self._watchdog_s
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with socket.socket(socket.AF_UNIX, kind) as sock:
            try:
                sock.sendto(text.encode(), address)
            except OSError as error:  # a manager that is away must not end what it manages
                emit(Event.NOTIFY_FAILED, self._address, problem=error)
