"""Reads WAV files that nobody vouches for: linear PCM and float, in any number of channels."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from agent.sources.sampling.recording import Chunks
    from agent.types import Array

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CHUNK = 4096
"""Samples of each channel that are read at once."""
_MAX_CHUNKS = 64
"""Parts of a file that are looked through for the samples."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a file lie.

    Attributes:
        rate: samples a second.
        channels: side by side in each sample.
        width: of a number, bytes.
        is_float: floating point, else integers.
        begin: of the samples in the file, bytes.
        count: of samples, as far as the file really goes.
        stated: of samples, as the header has it.
    """

    rate: int
    channels: int
    width: int
    is_float: bool
    begin: int
    count: int
    stated: int


def layout(file: BinaryIO) -> Layout:
    """Find the samples.

    Raises:
        ValueError: it is no WAV file, or not of a kind that is read here.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise ValueError("it is no WAV file")
    form = b""
    for _ in range(_MAX_CHUNKS):
        name, length = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        if name == b"data":
            return _layout(form, file.tell(), length, size)
        if name == b"fmt ":
            form = file.read(min(length, 40))
            file.seek(length - len(form) + length % 2, os.SEEK_CUR)
        else:
            file.seek(length + length % 2, os.SEEK_CUR)
    raise ValueError("it has no samples")


def _layout(form: bytes, begin: int, length: int, size: int) -> Layout:
    if len(form) < 16:
        raise ValueError("it does not say how its samples lie")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", form[:16])
    if kind == _EXTENSIBLE and len(form) >= 26:
        kind = int.from_bytes(form[24:26], "little")
    if (kind, bits) not in {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}:
        raise ValueError(f"its encoding, {kind} with {bits} bits, is neither linear PCM nor float")
    width = bits // 8
    if not 1 <= channels <= 256 or block != channels * width or not 1 <= rate <= 10_000_000:
        raise ValueError(f"its header is damaged: {channels} channels, {rate} Hz, {block} bytes a sample")
    held = max(0, min(length, size - begin))
    return Layout(rate, channels, width, kind == _FLOAT, begin, held // block, length // block)


def numbers(data: bytes, width: int, *, is_float: bool) -> Array:
    """Give the numbers in ``data``, float64; integers are scaled so that full scale is 1."""
    if is_float:
        return np.frombuffer(data, f"<f{width}").astype(np.float64)
    if width == 1:  # the only one without a sign
        return (np.frombuffer(data, np.uint8) - 128.0) / 128
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4") / 2.0**31
    return np.frombuffer(data, f"<i{width}") / 2.0 ** (8 * width - 1)


def read_samples(file: BinaryIO, form: Layout) -> Chunks:
    """Give the samples, dated from 0 on."""
    file.seek(form.begin)
    block = form.channels * form.width
    for first in range(0, form.count, _CHUNK):
        data = file.read(min(_CHUNK, form.count - first) * block)
        data = data[: len(data) // block * block]
        values = numbers(data, form.width, is_float=form.is_float).reshape(-1, form.channels)
        yield dated(first, len(values), form.rate), values


def dated(first: int, count: int, rate: float) -> Array:
    """Give the times of samples in a row: int64 (count), nanoseconds since sample 0."""
    times: Array = np.rint(np.arange(first, first + count) * (1e9 / rate))
    return times.astype(np.int64)
