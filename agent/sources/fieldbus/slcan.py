"""A CAN adapter on a serial port that speaks the Lawicel protocol (slcan): CANUSB manual, version 1.0."""

from __future__ import annotations

import re
import time

from agent.errors import SourceLost
from agent.sources._port import open_port, reason
from agent.sources.fieldbus.bitrates import BITRATES
from agent.sources.fieldbus.signals import Message

_MOST_LINE = 64
_LINE = re.compile(
    rb"(?:t(?P<short>[0-9A-Fa-f]{3})|T(?P<long>[0-9A-Fa-f]{8}))(?P<length>[0-8])(?P<data>(?:[0-9A-Fa-f]{2})*)"
)
_STAMP = 4
"""Digits of the time that some adapters put behind the data."""
_NO_MESSAGES = (b"r", b"R", b"z", b"Z", b"V", b"N", b"F")
"""Questions of others without data, and answers to commands."""


class Slcan:
    """Implements ``Link``.

    Args:
        port: the device.
        bitrate: of the bus, one of ``BITRATES``.
        listen_only: take no part in the bus, not even by acknowledging.

    Raises:
        SourceLost: the port cannot be opened.
        ExtraMissing: pyserial is not installed.
    """

    def __init__(self, port: str, bitrate: int, *, listen_only: bool) -> None:
        self._path = port
        self._rest = b""
        self._begun = False
        self._port = open_port("open CAN adapter", port, 115200)
        try:
            # Whatever it was doing: the line is ended first, and the channel closed.
            self._port.write(b"\rC\rS%d\r%c\r" % (BITRATES.index(bitrate), b"L" if listen_only else b"O"))
        except OSError as error:
            self._port.close()
            raise SourceLost("open CAN adapter", port, reason(error), "Plug it in again") from error

    @property
    def name(self) -> str:
        """The port."""
        return self._path

    def receive(self, timeout_s: float) -> list[Message | str]:
        """Give the messages that are there, and what was wrong between them.

        Raises:
            SourceLost: the port is gone.
        """
        try:
            data = self._port.read(timeout_s)
        except OSError as error:
            raise SourceLost("read CAN adapter", self._path, reason(error), "Plug it in again") from error
        now = time.monotonic_ns()
        # A bell says no to a command. Some adapters say so of a close while they are closed.
        *lines, rest = (self._rest + data.replace(b"\a", b"")).split(b"\r")
        self._rest = rest[: _MOST_LINE + 1]
        found = [one for line in lines if line for one in self._read(line, now)]
        if len(rest) > _MOST_LINE:
            self._rest, self._begun = b"", False
            found.append(f"no line ends within {_MOST_LINE} bytes")
        return found

    def close(self) -> None:
        """Close the port; the adapter goes on listening until it is opened again. Idempotent."""
        self._port.close()

    def _read(self, line: bytes, now: int) -> list[Message | str]:
        begun, self._begun = self._begun, True
        found = _LINE.fullmatch(line)
        if found is not None and len(found["data"]) - 2 * int(found["length"]) in {0, _STAMP}:
            number = int(found["short"] or found["long"], 16)
            data = bytes.fromhex(found["data"].decode())[: int(found["length"])]
            return [Message((number, found["long"] is not None), data, now)]
        if not begun or line.startswith(_NO_MESSAGES):  # the first may be the end of one
            return []
        return [f"a line is no message: {line[:30].decode(errors='replace')!r}"]
