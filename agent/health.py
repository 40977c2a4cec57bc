"""What systemd is told: ready, alive, stopping. Does nothing when systemd did not start us (sd_notify(3))."""

from __future__ import annotations

import os
import socket


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

    @property
    def period_s(self) -> float | None:
        """How often ``alive`` wants to be called, in seconds; None when there is no watchdog."""
        return self._watchdog_s or None

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(text.encode(), address)
