"""Opens a serial port, in the one way that all who read one need: held alone, and never waited for."""

from __future__ import annotations

import math
import select
import termios
from typing import TYPE_CHECKING, Any

from agent.errors import ExtraMissing, SourceLost

if TYPE_CHECKING:
    import serial

_PIECE = 4096


class Port:
    """An open port; what the driver refuses comes out as OSError, which ``reason`` words."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self._poll = select.poll()
        self._poll.register(port.fileno(), select.POLLIN)

    def read(self, timeout_s: float, most: int = _PIECE) -> bytes:
        """Give so many of the bytes that are there, or come in time; b"" when none do."""
        if not self._poll.poll(math.ceil(timeout_s * 1000)):
            return b""
        return self._port.read(most)

    def write(self, data: bytes) -> None:
        """Send what there is room for."""
        self._port.write(data)

    def close(self) -> None:
        """Close it. Idempotent."""
        self._port.close()


def open_port(op: str, path: str, baud: int, **settings: Any) -> Port:
    """Open a port.

    Args:
        op: what is done, for errors.
        path: of the device.
        baud: bits a second.
        settings: what else pyserial is told, such as ``parity``.

    Raises:
        SourceLost: it is not there, or held by another program.
        ExtraMissing: pyserial is not installed.
    """
    try:
        import serial
    except ModuleNotFoundError as error:
        hint = "Install the extra: pip install 'edge-inference-agent[serial]'"
        raise ExtraMissing(op, path, "pyserial is not installed", hint) from error
    try:
        return Port(serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True, **settings))
    except (OSError, ValueError, termios.error) as error:  # its own errors are OSErrors
        hint = "Check the cable, the name in /dev/serial/by-id, and that no other program uses it"
        raise SourceLost(op, path, reason(error), hint) from error


def reason(error: Exception) -> str:
    """Give why the port does not serve, in one line."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error.args[-1])
    return " ".join(told.split())[:200].lower()
