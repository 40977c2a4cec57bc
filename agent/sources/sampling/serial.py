"""A serial port, read without ever waiting longer than asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import SourceLost
from agent.sources._port import open_port, reason
from agent.sources.sampling.framing import Sample

if TYPE_CHECKING:
    from agent.sources.sampling.framing import Frames, Lines
    from agent.types import Array

_BITS = 10
"""On the wire for each byte: a start bit, eight of data, a stop bit."""


class Port:
    """Implements ``Feed``. A sample is dated by when its last bit was on the wire, as far as that is known.

    Raises:
        SourceLost: the port cannot be opened.
        ExtraMissing: pyserial is not installed.
    """

    def __init__(self, path: str, baud: int, reader: Lines | Frames) -> None:
        self._path = path
        self._reader = reader
        self._byte_ns = _BITS * 1_000_000_000 / baud
        self._last_ns = 0
        self._port = open_port("open serial port", path, baud)

    @property
    def name(self) -> str:
        """The device's path."""
        return self._path

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Wait for bytes, and give the samples that they end.

        Raises:
            SourceLost: the port is gone.
        """
        try:
            data = self._port.read(timeout_s)
        except OSError as error:
            raise SourceLost("read serial port", self._path, reason(error), "Plug it in again") from error
        now = time.monotonic_ns()
        found: list[tuple[Array, Array] | str] = []
        for one in self._reader.feed(data):
            if isinstance(one, Sample):
                # Bytes come in bursts: what has more bytes behind it was sent earlier.
                at = max(self._last_ns + 1, now - round(one.behind * self._byte_ns))
                self._last_ns = at
                found.append((np.array([at]), np.array([one.values])))
            else:
                found.append(one)
        return found

    def close(self) -> None:
        """Close the port. Idempotent."""
        self._port.close()
