"""Looks at what comes through the socket before paho keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paho.mqtt.client as paho

if TYPE_CHECKING:
    from agent.packets import Guard


class GuardedClient(paho.Client):
    """paho's client with a guard at the one place where it reads."""

    guard: Guard

    def _sock_recv(self, bufsize: int) -> bytes:
        data = super()._sock_recv(bufsize)
        self.guard.saw(data)
        return data
