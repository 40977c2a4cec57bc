"""How the link's sockets are set up."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.client import Client

    from agent.link.settings import LinkSettings

_UNHEARD_MS = 30_000


def tune(_client: Client, _data: object, sock: object) -> None:
    """Send small packets at once; give up on bytes that nobody has acknowledged for half a minute."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho forgets to."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(settings: LinkSettings) -> ssl.SSLContext:
    """Read the certificates; the broker's is checked, its name too.

    Raises:
        OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
    """
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    context.sslsocket_class = _TlsSocket
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file or None)
    return context
