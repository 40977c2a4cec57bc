"""A serial port, read without ever waiting longer than asked."""

from __future__ import annotations

import math
import select
import termios
import time
from typing import TYPE_CHECKING

import numpy as np
import serial

from agent.errors import SourceLost
from agent.sources.sampling.framing import Sample

if TYPE_CHECKING:
    from agent.sources.sampling.framing import Frames, Lines
    from agent.types import Array

_OP = "open serial port"
_PIECE = 4096
_BITS = 10
"""On the wire for each byte: a start bit, eight of data, a stop bit."""


class Port:
    """Implements ``Feed``. A sample is dated by when its last bit was on the wire, as far as that is known.

    Raises:
        SourceLost: the port cannot be opened.
    """

    def __init__(self, path: str, baud: int, reader: Lines | Frames) -> None:
        self._path = path
        self._reader = reader
        self._byte_ns = _BITS * 1_000_000_000 / baud
        self._last_ns = 0
        try:
            self._port = serial.Serial(path, baud, timeout=0, exclusive=True)
        except (OSError, ValueError, termios.error) as error:  # its own errors are OSErrors
            hint = "Check the cable, the name in /dev/serial/by-id, and that no other program uses it"
            raise SourceLost(_OP, path, _plain(error), hint) from error
        self._poll = select.poll()
        self._poll.register(self._port.fileno(), select.POLLIN)

    @property
    def name(self) -> str:
        """The device's path."""
        return self._path

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Wait for bytes, and give the samples that they end.

        Raises:
            SourceLost: the port is gone.
        """
        if not self._poll.poll(math.ceil(timeout_s * 1000)):
            return []
        try:
            data = self._port.read(_PIECE)
        except OSError as error:
            raise SourceLost("read serial port", self._path, _plain(error), "Plug it in again") from error
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


def _plain(error: Exception) -> str:
    """Give the reason alone, in one line."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error.args[-1])
    return " ".join(told.split())[:200].lower()
