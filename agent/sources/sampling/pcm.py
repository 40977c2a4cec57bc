"""Sound as it comes: raw numbers from a pipe or a program, dated by counting them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from agent.sources.sampling.wav import dated, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Array

FORMATS = {"s16le": (2, False), "s24le": (3, False), "s32le": (4, False), "f32le": (4, True)}
"""Bytes of a number, and whether it is a floating point one."""
_SECOND = 1e9
_LEAK = 0.001
"""How much slower than its nominal rate a device may be; crystals are ten times better."""
_LATE_S = 1.0
"""Later than this after what it had given before, a stream has paused."""
_PIECE = 1 << 16
"""Bytes that are read at once, as many as a pipe holds: with fewer there are no others that wait."""


class Stream(Protocol):
    """Where bytes come from: what ``Fifo`` and ``Program`` have in common."""

    def wait(self, deadline: float) -> bool:
        """Wait until there is something to read, or the end; False when neither in time."""

    def read(self) -> bytes:
        """Give what is there, or b"". SourceLost: there will be nothing more."""

    def close(self) -> None:
        """Release it. Idempotent."""


class Clock:
    """Tells when a sample was measured, from when its bytes came.

    A device counts its samples with a crystal of its own, so neither clock is the other's. What arrives with
    the least delay is right about the offset between the two: that is the least of all offsets, and it may
    grow by 0.1 % of the time that passes, so that it follows a device that is slow.

    Args:
        rate: samples a second, as the device has it.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._heard_ns = 0
        self._seen = 0
        self._offset: int | None = None
        self._given = 0

    def heard(self, count: int, now_ns: int) -> int:
        """Note that all samples up to number ``count`` are there.

        Args:
            count: samples since the beginning.
            now_ns: CLOCK_MONOTONIC.

        Returns:
            How much later that is than the samples before would have it, nanoseconds.
        """
        stream_ns = round(count * _SECOND / self._rate)
        self._seen = now_ns - stream_ns
        if self._offset is None:
            self._offset = self._seen
        late = self._seen - self._offset
        self._offset = min(self._seen, self._offset + round(_LEAK * (stream_ns - self._heard_ns)))
        self._heard_ns = stream_ns
        return late

    def paused(self) -> None:
        """Note that time passed for which there are no samples, before those that were heard last."""
        self._offset = self._seen

    def monotonic(self, stream_ns: int) -> int:
        """Give when the sample at ``stream_ns`` was, CLOCK_MONOTONIC; never before an earlier one."""
        self._given = max(self._given, stream_ns + (self._offset or 0))
        return self._given


class Pcm:
    """Implements ``Feed``: cuts bytes into samples and dates them by their number, so windows are exact.

    Args:
        name: what errors call it.
        stream: where the bytes come from.
        form: one of ``FORMATS``; full scale becomes 1.
        channels: numbers in a sample.
        rate: samples a second.
        trouble: says which samples were lost before those that were read last, or "".
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        form: str,
        channels: int,
        rate: float,
        *,
        trouble: Callable[[], str] = str,
    ) -> None:
        self._name = name
        self._stream = stream
        self._width, self._is_float = FORMATS[form]
        self._channels = channels
        self._rate = rate
        self._rest = b""
        self._count = 0
        self._trouble = trouble
        self.clock = Clock(rate)

    @property
    def name(self) -> str:
        """The device's name."""
        return self._name

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Wait for samples: their times are those of the stream, from 0 on; see ``Clock``.

        Raises:
            SourceLost: the stream has ended.
        """
        if not self._stream.wait(time.monotonic() + timeout_s):
            return []
        piece = self._stream.read()
        data = self._rest + piece
        block = self._width * self._channels
        whole = len(data) // block
        self._rest = data[whole * block :]
        self._count += whole
        late = self.clock.heard(self._count, time.monotonic_ns())
        if trouble := self._trouble():
            self.clock.paused()
            return [trouble]  # what was read has the gap in it, and nobody knows where
        if not whole:
            return []
        found: list[tuple[Array, Array] | str] = []
        if late > _LATE_S * _SECOND and len(piece) < _PIECE:  # else it is the reader who is late
            self.clock.paused()
            found.append(f"no sample for {late / _SECOND:.1f} s")
        values = numbers(data[: whole * block], self._width, is_float=self._is_float)
        times = dated(self._count - whole, whole, self._rate)
        return [*found, (times, values.reshape(-1, self._channels))]

    def close(self) -> None:
        """Release the stream. Idempotent."""
        self._stream.close()
