"""Opens a serial port, in the one way that all who read one need: held alone, and never waited for."""

from __future__ import annotations

import termios
from typing import TYPE_CHECKING, Any

from agent.errors import ExtraMissing, SourceLost

if TYPE_CHECKING:
    import serial


def open_port(op: str, path: str, baud: int, **settings: Any) -> serial.Serial:
    """Give the open port: reading gives what is there, writing takes what there is room for.

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
        return serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True, **settings)
    except (OSError, ValueError, termios.error) as error:  # its own errors are OSErrors
        hint = "Check the cable, the name in /dev/serial/by-id, and that no other program uses it"
        raise SourceLost(op, path, reason(error), hint) from error


def reason(error: Exception) -> str:
    """Give why the port does not serve, in one line."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error.args[-1])
    return " ".join(told.split())[:200].lower()
