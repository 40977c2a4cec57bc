"""A CAN interface of the kernel: Documentation/networking/can.rst. Nothing is ever sent."""

from __future__ import annotations

import errno
import math
import select
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.fieldbus.signals import Message
from agent.sources.sampling.lookup import text

if TYPE_CHECKING:
    from agent.sources.fieldbus.signals import Id

_FRAME = struct.Struct("=IB3x")
"""The number with its flags, and the length; the data follow. The same for long frames (CAN FD)."""
_FULL_FRAME, _FULL_FD_FRAME = 16, 72
_FILTER = struct.Struct("=II")
_LEVEL = socket.SOL_SOCKET + 100
"""SOL_CAN_RAW."""
_CAN_RAW_ERR_FILTER = 2
_BUS_OFF, _CONTROLLER = 0x40, 0x04
"""Classes of error frames, include/uapi/linux/can/error.h."""
_OVERFLOW = 0x01
_SO_RXQ_OVFL = 40
_MOST_AT_ONCE = 256
_CAN_TYPE = "280"
"""ARPHRD_CAN."""


class SocketCan:
    """Implements ``Link``.

    Args:
        channel: the interface.
        ids: the messages that are wanted; the kernel leaves the others out.

    Raises:
        SourceLost: the interface is not there, or the kernel has none of its kind.
    """

    def __init__(self, channel: str, ids: list[Id]) -> None:
        self._channel = channel
        try:
            self._socket = socket.socket(
                socket.AF_CAN, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.CAN_RAW
            )
        except OSError as error:
            hint = "Load the kernel's part: sudo modprobe can_raw; as a service it needs a drop-in, too:"
            hint += " sudo edge-agent install --hardware can"
            raise SourceLost("open CAN bus", channel, _plain(error), hint) from error
        try:
            _ask_for(self._socket, ids)
            self._socket.bind((channel,))
        except OSError as error:
            self._socket.close()
            raise SourceLost("open CAN bus", channel, _plain(error), _hint(channel)) from error
        self._reader = Reader(self._socket, channel)

    @property
    def name(self) -> str:
        """The interface."""
        return self._channel

    def receive(self, timeout_s: float) -> list[Message | str]:
        """Give the messages that are there.

        Raises:
            SourceLost: the interface is down or gone, or its controller is off the bus.
        """
        return self._reader.receive(timeout_s)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close()


class Reader:
    """Takes frames as the kernel gives them out of a socket.

    Args:
        source: a socket that gives one frame at a time, and does not block.
        channel: what errors call it.
    """

    def __init__(self, source: socket.socket, channel: str) -> None:
        self._socket = source
        self._channel = channel
        self._missed = 0
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)

    def receive(self, timeout_s: float) -> list[Message | str]:
        """Give the messages that are there, and what was wrong between them.

        Raises:
            SourceLost: the interface is down or gone, or its controller is off the bus.
        """
        if not self._poll.poll(math.ceil(timeout_s * 1000)):
            return []
        found: list[Message | str] = []
        while len(found) < _MOST_AT_ONCE:
            try:
                frame, told, _, _ = self._socket.recvmsg(_FULL_FD_FRAME, socket.CMSG_SPACE(4))
            except BlockingIOError:
                break
            except OSError as error:
                hint = _hint(self._channel)
                raise SourceLost("read CAN bus", self._channel, _plain(error), hint) from error
            found += self._missing(told)
            found += self._read(frame)
        return found

    def _missing(self, told: list[tuple[int, int, bytes]]) -> list[Message | str]:
        """Say how many frames the kernel had no room for: it counts them since the socket was opened."""
        counts = [struct.unpack("=I", data)[0] for _, kind, data in told if kind == _SO_RXQ_OVFL]
        more = (counts[-1] - self._missed) % (1 << 32) if counts else 0
        self._missed += more
        return [f"{more} messages came faster than they were read"] if more else []

    def _read(self, frame: bytes) -> list[Message | str]:
        if len(frame) not in {_FULL_FRAME, _FULL_FD_FRAME}:
            return [f"the kernel gives a frame of {len(frame)} bytes"]
        number, length = _FRAME.unpack_from(frame)
        data = frame[_FRAME.size : _FRAME.size + length]
        if number & socket.CAN_ERR_FLAG:
            return self._trouble(number, data)
        if number & socket.CAN_RTR_FLAG:  # somebody asks for a message: it has no data
            return []
        extended = bool(number & socket.CAN_EFF_FLAG)
        mask = socket.CAN_EFF_MASK if extended else socket.CAN_SFF_MASK
        return [Message((number & mask, extended), data, time.monotonic_ns())]

    def _trouble(self, classes: int, data: bytes) -> list[Message | str]:
        if classes & _BUS_OFF:
            hint = f"Check wiring, termination and bitrate; sudo ip link set {self._channel} type can"
            hint += " restart-ms 100 lets it come back by itself"
            raise SourceLost("read CAN bus", self._channel, "its controller has left the bus", hint)
        overflow = classes & _CONTROLLER and len(data) > 1 and data[1] & _OVERFLOW
        return ["the controller had no room for a message"] if overflow else []


def _ask_for(made: socket.socket, ids: list[Id]) -> None:
    """Say what is wanted: these messages, long ones, too, and errors that cost some."""
    filters = b"".join(
        _FILTER.pack(
            number | (socket.CAN_EFF_FLAG if extended else 0),
            (socket.CAN_EFF_MASK if extended else socket.CAN_SFF_MASK)
            | socket.CAN_EFF_FLAG
            | socket.CAN_RTR_FLAG,
        )
        for number, extended in ids
    )
    made.setsockopt(_LEVEL, socket.CAN_RAW_FILTER, filters)
    made.setsockopt(_LEVEL, _CAN_RAW_ERR_FILTER, _BUS_OFF | _CONTROLLER)
    made.setsockopt(_LEVEL, socket.CAN_RAW_FD_FRAMES, 1)
    made.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)


def interfaces(root: Path = Path("/sys/class/net")) -> list[str]:
    """Name the CAN interfaces of this machine."""
    return [path.parent.name for path in sorted(root.glob("*/type")) if text(path) == _CAN_TYPE]


def _hint(channel: str) -> str:
    there = ", ".join(interfaces()) or "none"
    bring = f"sudo ip link set {channel} up type can bitrate 500000, with the bitrate of the bus"
    return f"Bring it up: {bring}. CAN interfaces here: {there}"


def _plain(error: OSError) -> str:
    if error.errno == errno.ENETDOWN:
        return "the interface is down"
    return (error.strerror or str(error)).lower()
