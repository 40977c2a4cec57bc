"""Looks at what comes through the socket before paho keeps it."""

from __future__ import annotations

import paho.mqtt.client as paho

from agent.packets import Guard

__all__ = ["Guard", "GuardedClient"]


class GuardedClient(paho.Client):
    """paho's client with a guard at the one place where it reads."""

    guard: Guard

    def _sock_recv(self, bufsize: int) -> bytes:
        data = super()._sock_recv(bufsize)
        self.guard.saw(data)
        return data
