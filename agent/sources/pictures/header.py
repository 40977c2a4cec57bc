"""How large a picture is, from its first bytes: asked before anything is decoded."""

from __future__ import annotations

import re
import struct

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_PNM = re.compile(rb"P[1-6](?:\s|#[^\n]*+\n)++(\d{1,9})(?:\s|#[^\n]*+\n)++(\d{1,9})\s")
"""Nothing is given back once it fits (``++``): else there are twice as many ways with each space."""
_MOST_SEGMENTS = 1 << 14
"""Before a JPEG states its size; those of honest cameras are a few dozen."""


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Give width and height as a JPEG, PNG, BMP, WebP or PNM header states them.

    Returns:
        None when ``data`` is none of these, or ends within its header.
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if pnm := _PNM.match(data[:4096]):
        return int(pnm[1]), int(pnm[2])
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"BM"):
            width, height = _bmp(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        else:
            return None
    except struct.error:
        return None
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return abs(width), abs(height)  # a negative height means top row first


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the first frame header."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return None
