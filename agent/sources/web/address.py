"""Where a camera on the network is: a URL taken apart, and told without what may be secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

_URL = re.compile(
    r"http://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:?#@\[\]]+)(?::(?P<port>\d{1,5}))?(?P<path>[/?][^#]*)?"
)
PORTS = {"http": 80, "rtsp": 554}
"""Where servers listen unless the URL says otherwise."""
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL.

    Attributes:
        host: a name or an address, without brackets.
        port: from 1 to 65535.
        target: path and query, as the request names them.
        scheme: ``http`` or ``rtsp``.
    """

    host: str
    port: int
    target: str
    scheme: str = "http"

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a password: for errors and logs."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"


def parse(url: str) -> Address:
    """Take a URL apart.

    Raises:
        ValueError: it is no URL that we can ask; the text repeats nothing of it.
    """
    if re.match(r"https?://[^/?#]*@", url):
        raise ValueError(
            "name and password do not belong into the URL: put them into a file, and name it in login"
        )
    if url.startswith("https://"):
        raise ValueError("a worker speaks no TLS: use http:// within the camera's own network")
    found = _URL.fullmatch(url)
    if found is None or not _PRINTABLE.fullmatch(url):
        raise ValueError("it must be like http://192.0.2.20:8080/video")
    port = int(found["port"] or 80)
    if not 0 < port < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    path = found["path"] or "/"
    return Address(found["host"].strip("[]"), port, path if path.startswith("/") else f"/{path}")
