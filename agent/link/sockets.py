"""How the link's sockets are set up."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_UNHEARD_MS = 30_000


def tune(_client: Client, _data: object, sock: object) -> None:
    """Send small packets at once; give up on bytes that nobody has acknowledged for half a minute."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
