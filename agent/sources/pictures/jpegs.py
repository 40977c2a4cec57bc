"""Cuts a stream of JPEGs, one right after the other, into pictures."""

from __future__ import annotations

import re

MAX_JPEG = 16 << 20
"""Bytes of one picture; also what may stand between two of them."""
_MOST_STEPS = 1 << 16
"""Segments that are walked from one whole picture to the next: what only looks like pictures, one begun
within the other, would be walked again for each of them."""
_BEGINS = b"\xff\xd8\xff"
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_SCAN, _END = 0xDA, b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends the coded data of a scan: a marker that is neither a stuffed byte nor a restart."""


class Jpegs:
    """Bytes go in, whole pictures come out; it does no I/O.

    It walks the segments, since a preview within a picture has an end of its own.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._at = 0
        """How far the picture at the begin was walked; 0 when none has begun."""
        self._in_scan = False
        self._skipped = 0
        self._steps = 0

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        self._pending += data

    @property
    def begun(self) -> bool:
        """Whether a picture has begun that is not whole."""
        return self._at > 0

    def next(self) -> bytes | None:
        """Give the next whole picture; None when more bytes are needed.

        Raises:
            ValueError: a picture, or what stands where one should begin, is larger than the limit.
        """
        while self._at or self._begin():
            end = self._walk()
            if end is None:
                if len(self._pending) > MAX_JPEG:
                    raise ValueError(f"a picture of more than {MAX_JPEG >> 20} MiB")
                return None
            picture = bytes(self._pending[:end])
            del self._pending[:end]
            self._at, self._in_scan = 0, False
            if end:
                self._skipped = self._steps = 0
                return picture
            del self._pending[: len(_BEGINS)]  # it was none: look on behind its begin
            self._skip(len(_BEGINS))
        return None

    def _begin(self) -> bool:
        at = self._pending.find(_BEGINS)
        useless = max(0, len(self._pending) - len(_BEGINS) + 1) if at < 0 else at
        del self._pending[:useless]
        self._skip(useless)
        self._at = 2 if at >= 0 else 0
        return at >= 0

    def _skip(self, count: int) -> None:
        self._skipped += count
        if self._skipped > MAX_JPEG:
            raise ValueError("it sends no JPEG")

    def _walk(self) -> int | None:
        """Go on to the picture's end, and give where it is; 0 for no picture, None for not all there yet."""
        while not self._in_scan or self._leave_scan():
            head = bytes(self._pending[self._at : self._at + 4])
            if head[:2] == _END:
                return self._at + 2
            if len(head) < 4:
                return None
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise ValueError("it sends no JPEG")
            length = _length(head)
            if length == 0:
                return 0
            self._at += length
            self._in_scan = head[1] == _SCAN
        return None

    def _leave_scan(self) -> bool:
        found = _MARKER.search(self._pending, self._at)
        self._at = found.start() if found else max(self._at, len(self._pending) - 1)
        self._in_scan = found is None
        return found is not None


def _length(head: bytes) -> int:
    """Give the bytes to the next marker; 0 when there is no marker here."""
    if head[0] != 0xFF:
        return 0
    if head[1] == 0xFF:
        return 1
    if head[1] in _BARE:
        return 2
    stated = int.from_bytes(head[2:4])
    return 2 + stated if stated >= 2 else 0
