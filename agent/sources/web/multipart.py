"""Takes the pictures out of a ``multipart/x-mixed-replace`` stream, the way MJPEG comes over HTTP."""

from __future__ import annotations

import re

MAX_PART = 16 << 20
"""Bytes of one picture; also what may stand between two of them."""
_MAX_HEAD = 4096
_BOUNDARY = re.compile(
    r'multipart/[a-z-]+\s*;.*?boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE
)
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\r?\n\r?\n")


def boundary(content_type: str) -> str | None:
    """Give what separates the parts, as the header Content-Type says; None when it announces no parts.

    Some cameras put the two dashes that go before it into the header, too.
    """
    found = _BOUNDARY.match(content_type)
    return (found[1] or found[2]).removeprefix("--") if found else None


class Parts:
    """Bytes go in, whole parts come out; it does no I/O.

    Args:
        separator: what stands between two parts, without the dashes.
    """

    def __init__(self, separator: str) -> None:
        self._line = b"--" + separator.encode("latin-1")
        self._pending = bytearray()
        self._seen = 0
        """How many bytes of what is pending were searched in vain."""
        self._length: int | None = None
        self._in_part = False

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their part."""
        return len(self._pending)

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        self._pending += data

    def next(self) -> bytes | None:
        """Give the next whole part, without its headers; None when more bytes are needed.

        Raises:
            ValueError: a part, or what stands where one should begin, is larger than the limits allow.
        """
        if not self._in_part and not self._begin():
            return None
        part = self._counted() if self._length is not None else self._bounded()
        if part is None and len(self._pending) > MAX_PART:
            raise ValueError(f"a picture of more than {MAX_PART >> 20} MiB")
        return part

    def _begin(self) -> bool:
        """Skip to the separator and read the headers after it."""
        at = self._pending.find(self._line)
        if at < 0:
            self._skip()
            return False
        del self._pending[:at]
        self._seen = 0
        blank = _BLANK.search(self._pending, len(self._line), len(self._line) + _MAX_HEAD)
        if blank is None:
            if len(self._pending) > len(self._line) + _MAX_HEAD:
                raise ValueError(f"more than {_MAX_HEAD} bytes of headers before a picture")
            return False
        length = _LENGTH.search(self._pending, len(self._line), blank.end())
        self._length = int(length[1]) if length else None
        if self._length is not None and self._length > MAX_PART:
            raise ValueError(f"a picture of more than {MAX_PART >> 20} MiB")
        del self._pending[: blank.end()]
        self._in_part = True
        return True

    def _skip(self) -> None:
        """Forget what cannot be the begin of a separator, and count it."""
        useless = max(0, len(self._pending) - len(self._line) + 1)
        del self._pending[:useless]
        self._seen += useless
        if self._seen > MAX_PART:
            raise ValueError("it sends no pictures that its header announced")

    def _counted(self) -> bytes | None:
        if self._length is None or len(self._pending) < self._length:
            return None
        return self._finish(self._length)

    def _bounded(self) -> bytes | None:
        at = self._pending.find(self._line, self._seen)
        if at < 0:
            self._seen = max(0, len(self._pending) - len(self._line) + 1)
            return None
        return self._finish(at)

    def _finish(self, end: int) -> bytes:
        counted = self._length is not None
        part = bytes(self._pending[:end])
        del self._pending[:end]
        self._in_part, self._length, self._seen = False, None, 0
        return part if counted else part.removesuffix(b"\n").removesuffix(b"\r")
