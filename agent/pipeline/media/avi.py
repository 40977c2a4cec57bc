"""Motion JPEG in an AVI file: a header, one chunk a frame, an index.

The layout is that of Microsoft's "AVI RIFF File Reference" (AVIMAINHEADER, AVISTREAMHEADER, BITMAPINFOHEADER,
AVIOLDINDEX). Numbers are little-endian; a chunk is its four letters, its length, its bytes, and a zero byte
where the length is odd.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HAS_INDEX, _KEY_FRAME = 0x10, 0x10
"""AVIF_HASINDEX of the file, AVIIF_KEYFRAME of each frame."""
_HEADERS = 224
"""Bytes before the first frame's chunk."""
_A_FRAME = 8 + 1 + 16
"""The most that a frame costs beside its own bytes: its chunk's head, padding, its line of the index."""


def size(frames: Sequence[bytes]) -> int:
    """Give the bytes of the file that ``pieces`` makes of these frames."""
    return _HEADERS + 8 + sum(8 + len(one) + len(one) % 2 + 16 for one in frames)


def most(frames: int, length: int) -> int:
    """Give what a file of so many frames, with so many bytes together, has at the most."""
    return _HEADERS + 8 + frames * _A_FRAME + length


def pieces(frames: Sequence[bytes], width: int, height: int, frame_us: int) -> Iterator[bytes]:
    """Give a file, piece by piece.

    Args:
        frames: JPEGs of one size, at least one.
        width: theirs, in pixels.
        height: theirs, in pixels.
        frame_us: microseconds from one frame to the next.
    """
    movie = 4 + sum(8 + len(one) + len(one) % 2 for one in frames)
    largest = max(map(len, frames))
    yield struct.pack("<4sI4s", b"RIFF", size(frames) - 8, b"AVI ")
    yield _header(len(frames), width, height, frame_us, largest)
    yield struct.pack("<4sI4s", b"LIST", movie, b"movi")
    for one in frames:
        yield struct.pack("<4sI", b"00dc", len(one))
        yield one
        yield bytes(len(one) % 2)
    yield struct.pack("<4sI", b"idx1", 16 * len(frames))
    at = 4  # offsets count from the letters "movi"
    for one in frames:
        yield struct.pack("<4sIII", b"00dc", _KEY_FRAME, at, len(one))
        at += 8 + len(one) + len(one) % 2


def _header(count: int, width: int, height: int, frame_us: int, largest: int) -> bytes:
    second = max(1, 1_000_000 // frame_us)
    main = struct.pack(
        "<14I", frame_us, largest * second, 0, _HAS_INDEX, count, 0, 1, largest, width, height, 0, 0, 0, 0
    )
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4H",
        b"vids", b"MJPG", 0, 0, 0, 0, frame_us, 1_000_000, 0, count, largest, 0xFFFFFFFF, 0,
        0, 0, width, height,
    )  # fmt: skip
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    lines = b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", form)
    return _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + _chunk(b"LIST", lines))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body
