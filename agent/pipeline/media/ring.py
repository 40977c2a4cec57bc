"""The newest frames of a pipeline as JPEGs: what lies before an event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame, encoded.

    Attributes:
        captured_ns: when it was captured, CLOCK_MONOTONIC.
        size: height and width, in pixels.
        jpeg: the picture.
    """

    captured_ns: int
    size: tuple[int, int]
    jpeg: bytes


class Ring:
    """Keeps frames of one size, so many seconds and so many bytes of them. For one thread at a time.

    Args:
        seconds: how much older than the newest one a frame may be.
        max_bytes: the most bytes of all JPEGs; the newest frame stays in any case.
        max_shots: the most frames.
    """

    def __init__(self, seconds: float, max_bytes: int, max_shots: int) -> None:
        self._ns = int(seconds * 1e9)
        self._max_bytes = max_bytes
        self._shots: deque[Shot] = deque()
        self._max_shots = max_shots
        self.bytes = 0
        """Of all JPEGs that are kept."""

    def add(self, shot: Shot) -> None:
        """Take a frame; older ones go where a bound asks for it, and all of them when the size changes."""
        if self._shots and self._shots[-1].size != shot.size:
            self._shots.clear()
            self.bytes = 0
        self._shots.append(shot)
        self.bytes += len(shot.jpeg)
        while len(self._shots) > 1 and self._over(shot.captured_ns):
            self.bytes -= len(self._shots.popleft().jpeg)

    def since(self, captured_ns: int) -> list[Shot]:
        """Give the frames that were captured at this time or later, oldest first."""
        return [shot for shot in self._shots if shot.captured_ns >= captured_ns]

    def _over(self, newest_ns: int) -> bool:
        old = newest_ns - self._shots[0].captured_ns > self._ns
        return old or self.bytes > self._max_bytes or len(self._shots) > self._max_shots
