"""paho's client as we use it: what comes is looked at before it is kept, and failed TLS leaves no socket."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Protocol

import paho.mqtt.client as paho

if TYPE_CHECKING:
    from agent.mqtt.packets import Guard


class GuardedClient(paho.Client):
    """paho's client with a guard at the one place where it reads."""

    guard: Guard

    def _sock_recv(self, bufsize: int) -> bytes:
        data = super()._sock_recv(bufsize)
        self.guard.saw(data)
        return data


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho forgets to."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class TlsFiles(Protocol):
    """Where the certificates are; "" for none."""

    @property
    def ca_file(self) -> str:
        """The authority that vouches for the broker; "" for those that this machine trusts."""

    @property
    def cert_file(self) -> str:
        """Our own certificate."""

    @property
    def key_file(self) -> str:
        """Its private key; "" where it stands in ``cert_file``."""


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Read the certificates; the broker's is checked, its name too.

    Raises:
        OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
    """
    context = ssl.create_default_context(cafile=files.ca_file or None)
    context.sslsocket_class = _TlsSocket
    if files.cert_file:
        context.load_cert_chain(files.cert_file, files.key_file or None)
    return context
