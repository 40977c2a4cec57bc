"""An ``rtsp://`` URL taken apart; name and password leave it before anything is told."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from agent.sources.web.address import PORTS, Address

_URL = re.compile(
    r"rtsp://(?:(?P<login>[^\s/?#]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:?#@\[\]]+)(?::(?P<port>\d{1,5}))?(?P<path>[/?][^#]*)?"
)
_PRINTABLE = re.compile(r"[!-~]+")


def parse(url: str) -> tuple[Address, tuple[str, str] | None]:
    """Take a URL apart: where the camera is, and the name and password that the URL holds, if any.

    An ``@`` within the password may stand as it is; other signs as URLs have them, ``%2F`` for a slash.

    Raises:
        ValueError: it is no URL that we can ask; the text repeats nothing of it.
    """
    if url.startswith("rtsps://"):
        raise ValueError("a worker speaks no TLS: use rtsp:// within the camera's own network")
    found = _URL.fullmatch(url)
    if found is None or not _PRINTABLE.fullmatch(url):
        raise ValueError("it must be like rtsp://192.0.2.20:554/stream1; write / in a password as %2F")
    port = int(found["port"] or PORTS["rtsp"])
    if not 0 < port < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    path = found["path"] or "/"
    address = Address(
        found["host"].strip("[]"), port, path if path.startswith("/") else f"/{path}", scheme="rtsp"
    )
    return address, _login(found["login"])


def for_ffmpeg(address: Address, login: tuple[str, str] | None) -> str:
    """Give the URL that FFmpeg opens."""
    user = f"{quote(login[0], safe='')}:{quote(login[1], safe='')}@" if login else ""
    return f"rtsp://{user}{address.authority}{address.target}"


def _login(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not colon or not user:
        raise ValueError("before the @ stand a name, a colon and a password")
    found = unquote(user), unquote(password)
    if not "".join(found).isprintable():
        raise ValueError("its name or password holds what cannot be printed")
    return found
