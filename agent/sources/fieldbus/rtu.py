"""Modbus on a serial line: MODBUS over Serial Line V1.02, section 2.5.1 (RTU)."""

from __future__ import annotations

import time

from agent.errors import SourceLost
from agent.sources._port import open_port, reason

_PIECE = 512
_MOST_BYTES = 256
_BITS = 11
"""On the wire for each byte: start, eight of data, parity or a second stop bit, stop."""
_LEAST_QUIET_S = 0.00175
_PARITIES = {"none": "N", "even": "E", "odd": "O"}


def crc16(data: bytes) -> int:
    """Give the checksum of a frame: CRC-16/MODBUS, section 6.2.2 of the specification."""
    found = 0xFFFF
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0xA001 if found & 1 else 0)
    return found


def framed(unit: int, pdu: bytes) -> bytes:
    """Give what is on the wire: the unit, the message, and its checksum, low byte first."""
    body = bytes([unit]) + pdu
    return body + crc16(body).to_bytes(2, "little")


class Rtu:
    """Implements ``Wire``.

    Args:
        device: the port.
        baud: bits a second.
        parity: of each byte: none, even or odd.
        stop_bits: of each byte.
        unit: whom the requests are for.

    Raises:
        SourceLost: the port cannot be opened.
        ExtraMissing: pyserial is not installed.
    """

    def __init__(self, device: str, baud: int, parity: str, stop_bits: int, unit: int) -> None:
        self._device, self._unit = device, unit
        self._quiet_s = max(_LEAST_QUIET_S, 3.5 * _BITS / baud)
        self._unsent = b""
        self._held = b""
        self._last = time.monotonic()
        self._port = open_port("open serial port", device, baud, parity=_PARITIES[parity], stopbits=stop_bits)

    @property
    def name(self) -> str:
        """The port, and the unit."""
        return f"{self._device} unit {self._unit}"

    def ask(self, pdu: bytes) -> None:
        """Take a request; it is sent when the line has been quiet for long enough."""
        self._unsent = framed(self._unit, pdu)

    def answer(self, deadline: float) -> bytes | str | None:
        """Give the answer's bytes, why they are none, or None when it did not come in time.

        Args:
            deadline: CLOCK_MONOTONIC, seconds.

        Raises:
            SourceLost: the port is gone.
        """
        while True:
            sent = not self._unsent
            came = self._receive(deadline if sent else min(deadline, self._last + self._quiet_s))
            found = self._whole() if sent and came else None
            if found is not None:
                return found
            now = time.monotonic()
            if not sent and now >= self._last + self._quiet_s:
                self._send()
            elif now >= deadline:
                return None

    def close(self) -> None:
        """Close the port. Idempotent."""
        self._port.close()

    def _receive(self, until: float) -> bool:
        """Wait for bytes; False when none came."""
        try:
            came = self._port.read(max(0.0, until - time.monotonic()), _PIECE)
        except OSError as error:
            raise self._lost(error) from error
        if not came:
            return False
        self._held = (self._held + came)[-_PIECE:]
        self._last = time.monotonic()
        return True

    def _send(self) -> None:
        """Send the request. What came before it answers nothing."""
        self._held = b""
        try:
            self._port.write(self._unsent)
        except OSError as error:
            raise self._lost(error) from error
        self._unsent = b""
        self._last = time.monotonic()

    def _whole(self) -> bytes | str | None:
        """Take an answer out of what came, once it is all there."""
        if len(self._held) < 5:
            return None
        end = 5 if self._held[1] & 0x80 else 5 + self._held[2]
        if len(self._held) < min(end, _MOST_BYTES):
            return None
        unit, pdu = self._held[0], self._held[1 : end - 2]
        if framed(unit, pdu) != self._held[:end]:
            return f"a checksum is wrong, in {self._held[:16].hex(' ')}"
        return pdu if unit == self._unit else f"unit {unit} answers in its place"

    def _lost(self, error: OSError) -> SourceLost:
        return SourceLost("read registers", self.name, reason(error), "Plug the adapter in again")
