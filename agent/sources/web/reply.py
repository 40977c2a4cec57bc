"""Reads an answer in HTTP/1.1 (RFC 9112) or RTSP/1.0 as its bytes come in, with limits on all it holds."""

from __future__ import annotations

import re

from agent.errors import LoginRefused

MAX_HEAD = 16384
"""Bytes of the status line and headers."""
_MAX_LINE = 1024
"""Bytes of a line that announces a chunk, or follows the last one."""
_MAX_TRAILERS = 32
_STATUS = re.compile(rb"(?:HTTP/1\.[01]|RTSP/1\.0) (\d{3})(?: [^\r\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")

REFUSALS = frozenset({401, 403})
"""Statuses that mean a login is missing or wrong."""


def refusal(op: str, subject: str, status: int, *, known: bool) -> LoginRefused:
    """Say that a camera wants another login, or one at all where it is not ``known``."""
    problem = "it refuses this name and password" if known else "it wants a name and a password"
    hint = "Put user:password into a file, and name it in login"
    return LoginRefused(op, subject, f"{problem} ({status})", hint)


class Reply:
    """One answer; it does no I/O.

    Args:
        protocol: ``HTTP/1.1``, or ``RTSP/1.0``, whose answers without a length have no body.

    Attributes:
        status: the code, 0 before the head is complete.
        headers: pairs of lower-case name and value, in their order.
        complete: whether the body's end has been seen.
    """

    def __init__(self, protocol: str = "HTTP/1.1") -> None:
        self._protocol = protocol
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.complete = False
        self._pending = bytearray()
        self._chunked = False
        self._left: int | None = None
        """Bytes of the body or chunk that are still to come; None: until the connection ends."""
        self._line_next = False
        self._trailers = -1

    def header(self, name: str) -> str:
        """Give the first header of this name (in lower case), or ""."""
        return next((value for key, value in self.headers if key == name), "")

    def feed(self, data: bytes) -> bytes:
        """Take what came in; give what of the body that is, with its transfer coding taken off.

        Raises:
            ValueError: it is no HTTP/1.1, or more than the limits allow.
        """
        self._pending += data
        if self.status == 0 and not self._head():
            return b""
        body = self._chunks() if self._chunked else self._plain()
        return bytes(body)

    def end(self) -> None:
        """Take note that the connection has ended.

        Raises:
            ValueError: the answer has not.
        """
        if (self.status == 0 or self._chunked or self._left) and not self.complete:
            raise ValueError("the connection ended within the answer")
        self.complete = True

    def _head(self) -> bool:
        at = self._pending.find(b"\r\n\r\n", 0, MAX_HEAD)
        if at < 0:
            if len(self._pending) >= MAX_HEAD:
                raise ValueError(f"more than {MAX_HEAD} bytes of headers")
            if not self._protocol[:7].encode().startswith(self._pending[:7]):
                raise ValueError(f"it speaks no {self._protocol}")
            return False
        first, *lines = bytes(self._pending[:at]).split(b"\r\n")
        del self._pending[: at + 4]
        status = _STATUS.fullmatch(first)
        if status is None or not first.startswith(self._protocol[:7].encode()):
            raise ValueError(f"it speaks no {self._protocol}")
        self.headers = [pair for line in lines if (pair := _header(line)) is not None]
        self.status = int(status[1])
        self._frame()
        return True

    def _frame(self) -> None:
        """Find out how long the body is (RFC 9112, 6.3)."""
        coding = self.header("transfer-encoding").lower()
        if coding not in {"", "identity", "chunked"}:
            raise ValueError("a transfer coding that was not asked for")
        self._chunked = self._line_next = coding == "chunked"
        length = self.header("content-length") or ("0" if self._protocol.startswith("RTSP") else "")
        if self._chunked or not length:
            return
        if not re.fullmatch(r"\d{1,12}", length):
            raise ValueError("a length that is no number")
        self._left = int(length)
        self.complete = self._left == 0

    def _plain(self) -> bytearray:
        body = self._take(len(self._pending) if self._left is None else self._left)
        if self._left is not None:
            self._left -= len(body)
            self.complete = self._left == 0
        return body

    def _chunks(self) -> bytearray:
        body = bytearray()
        while not self.complete:
            if self._line_next:
                line = self._line()
                if line is None:
                    break
                self._announced(line)
                continue
            piece = self._take(self._left or 0)
            body += piece
            self._left = (self._left or 0) - len(piece)
            if self._left:
                break
            self._line_next = True
        return body

    def _announced(self, line: bytes) -> None:
        """Read the line before a chunk, the empty one after it, or one behind the last chunk."""
        if self._trailers >= 0:
            self._trailers += 1
            self.complete = not line
            if self._trailers > _MAX_TRAILERS:
                raise ValueError("too many trailers")
        elif self._left == 0 and not line:
            self._left = None
        elif self._left is None and (size := _SIZE.fullmatch(line)):
            self._left = int(size[1], 16)
            self._line_next = self._left == 0
            self._trailers = 0 if self._left == 0 else -1
        else:
            raise ValueError("a chunk that is not announced as one")

    def _line(self) -> bytes | None:
        at = self._pending.find(b"\r\n", 0, _MAX_LINE)
        if at < 0:
            if len(self._pending) >= _MAX_LINE:
                raise ValueError("a chunk that is not announced as one")
            return None
        line = bytes(self._pending[:at])
        del self._pending[: at + 2]
        return line

    def _take(self, count: int) -> bytearray:
        taken = self._pending[:count]
        del self._pending[:count]
        return taken


def _header(line: bytes) -> tuple[str, str] | None:
    """Give name and value, or None for what is no header.

    A pattern for all of it would try each way to share out the spaces: minutes for one line.
    """
    name, colon, value = line.partition(b":")
    if not colon or _NAME.fullmatch(name) is None or b"\r" in value or b"\n" in value:
        return None
    return name.decode().lower(), value.strip(b" \t").decode("latin-1")
