"""Sounds as windows: a .wav file becomes the array that a source would give for it."""

from __future__ import annotations

import array
import io
import struct
import sys
import wave

from agent.errors import InputRejected

_MOST_SAMPLES = 16 << 20
_FULL_SCALE = 32768.0
_HINT = "Save it as PCM of 16 bits, or as .npy"
_DAMAGED = (wave.Error, EOFError, RuntimeError, ValueError, struct.error)
"""What the standard library raises on files that do not hold together."""


def npy_of_wav(data: bytes, subject: str) -> bytes:
    """Give a .npy file of float32 (samples, channels) in [-1, 1) for a .wav file of 16-bit samples.

    Args:
        data: the .wav file's bytes.
        subject: what an error calls it.

    Raises:
        InputRejected: it is no such file.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, count = file.getnchannels(), file.getsampwidth(), file.getnframes()
            raw = file.readframes(min(count, _MOST_SAMPLES))
    except _DAMAGED as error:
        problem = f"it is no sound that we read: {str(error) or 'it is cut short'}"
        raise InputRejected("read window", subject, problem, _HINT) from error
    if width != 2 or not 0 < count * channels <= _MOST_SAMPLES:
        problem = f"it has {count} samples of {8 * width} bits"
        raise InputRejected("read window", subject, problem, _HINT)
    if len(raw) != 2 * channels * count:
        raise InputRejected("read window", subject, "it is no sound that we read: it is cut short", _HINT)
    samples = array.array("h", raw)
    if sys.byteorder == "big":
        samples.byteswap()
    values = struct.pack(f"<{len(samples)}f", *(one / _FULL_SCALE for one in samples))
    return _npy((len(samples) // channels, channels), values)


def _npy(shape: tuple[int, int], values: bytes) -> bytes:
    """Write format 1.0 of numpy's own files, for little-endian float32 in C order."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode("latin-1")
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values
