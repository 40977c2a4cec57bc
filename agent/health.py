"""What systemd is told: ready, alive, stopping. Does nothing when systemd did not start us (sd_notify(3))."""

from __future__ import annotations

import os
import socket

from agent.events import Event, emit


class Notifier:
    """Sends notifications to the service manager."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        watchdog_us = int(os.environ.get("WATCHDOG_USEC", "0") or "0")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = watchdog_us / 2e6 if mine else 0.0
        self._next = 0.0

    def ready(self, status: str) -> None:
        """Say that start-up is over."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that we are about to end."""
        self._send("STOPPING=1")

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
