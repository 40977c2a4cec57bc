"""What a capture process and its readers say to each other: one SEQPACKET packet each, checked at both ends.

A reader joins, then asks for one frame at a time; asking gives back the frame before. What goes with each
frame is a fixed head, little-endian, and the name of its origin. The pixels lie in sealed memory: the
descriptor of a slot's memory rides on the first packet that names it, and again when it has grown.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypeAlias

import orjson
from pydantic import Field, TypeAdapter

from agent.errors import AgentError, ConfigInvalid, InputRejected, MessageInvalid
from agent.processes.message import Count, Flat, Message, Text, Word, error_of, flattened, read

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_SIZES = (1, 1, 2, 2, 4, 4, 4, 8)
_MOST_DIMS = 4
_MOST_ORIGIN = 4096
_JOIN = struct.Struct("<BxxxIQ")
_FRAME = struct.Struct("<B3xIQQBBxx4I")
_MISSED = struct.Struct("<Q")
_MISSED_AT, _SHAPE_AT = 8, 24
_JOINS, _ASKS, _IS_FRAME = 1, 2, 3
ASK = bytes([_ASKS])
"""The next frame, please; the one before is given back."""


@dataclass(frozen=True, slots=True)
class Join:
    """A reader begins, or goes on after the source was lost.

    Attributes:
        token: tells the answer to this one from an earlier one's.
        start: the position in a recording that it wants first.
    """

    token: int
    start: int

    def packet(self) -> bytes:
        """The bytes."""
        return _JOIN.pack(_JOINS, self.token, self.start)


@dataclass(frozen=True, slots=True)
class Shape:
    """What lies in a slot: numpy's name of the element type, and the dimensions."""

    dtype: str
    dims: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """How many bytes that is."""
        return math.prod(self.dims) * _SIZES[DTYPES.index(self.dtype)]


class Shown(NamedTuple):
    """A frame is there; made for each of them, so it is a tuple.

    Attributes:
        slot: where.
        missed: frames before it that this reader did not get.
        captured_ns: CLOCK_MONOTONIC at capture.
        shape: what ``shape_of`` reads: the same bytes for the same shape.
        origin: where a recorded frame came from, or "".
    """

    slot: int
    missed: int
    captured_ns: int
    shape: bytes
    origin: str = ""


class Opened(Message):
    """The source is open: the answer to a join."""

    type: Literal["opened"] = "opened"
    token: Annotated[int, Field(ge=0, lt=1 << 32)]
    live: bool


class Lost(Flat):
    """The source is gone; it is opened again by itself, and a reader joins anew."""

    type: Literal["lost"] = "lost"


class Refused(Flat):
    """The source can never be opened as it is configured; ``loc`` is the key's path."""

    type: Literal["refused"] = "refused"
    loc: list[Word | Count] = Field(default=[], max_length=32)


class Unreadable(Flat):
    """In place of a frame: it cannot be read."""

    type: Literal["unreadable"] = "unreadable"
    missed: Count = 0


class Ended(Message):
    """A recording has given its last frame."""

    type: Literal["ended"] = "ended"
    remark: Text = ""
    missed: Count = 0


_Told = Opened | Lost | Refused | Unreadable | Ended
_told: TypeAdapter[_Told] = TypeAdapter(Annotated[_Told, Field(discriminator="type")])
Said: TypeAlias = _Told | Shown
"""What a capture process says."""


def packed(message: Message) -> bytes:
    """Give the packet of a message."""
    return orjson.dumps(message.model_dump(mode="json"))


def asked(packet: bytes) -> Join | None:
    """Read a reader's packet: a join, or None where it asks for the next frame.

    Raises:
        MessageInvalid: it is none of these.
    """
    if packet == ASK:
        return None
    try:
        kind, token, start = _JOIN.unpack(packet)
    except struct.error as error:
        raise MessageInvalid("read packet", "of a reader", str(error)) from error
    if kind != _JOINS or start >= 1 << 62:
        raise MessageInvalid(
            "read packet", "of a reader", f"there is no kind {kind}, or it starts at {start}"
        )
    return Join(token, start)


def shown(slot: int, captured_ns: int, dtype: str, dims: tuple[int, ...], origin: str = "") -> bytes:
    """Give the packet that says that a frame is there, for a reader that has missed none before it.

    Raises:
        InputRejected: it cannot be described: another type, too many or too large dimensions.
    """
    if dtype not in DTYPES or not 1 <= len(dims) <= _MOST_DIMS or max(dims) >= 1 << 32:
        problem = f"{dtype} {list(dims)} cannot be shared between processes"
        raise InputRejected(
            "share frame", origin or "of a source", problem, "Give the source to one pipeline"
        )
    padded = (*dims, *[0] * (_MOST_DIMS - len(dims)))
    whole = _FRAME.pack(_IS_FRAME, slot, 0, captured_ns, DTYPES.index(dtype), len(dims), *padded)
    return whole + origin[:_MOST_ORIGIN].encode("utf-8", "replace")


def missed(packet: bytes, count: int) -> bytes:
    """Say in a packet of a frame, or of what cannot be read, that so many before it were missed."""
    if not count:
        return packet
    if packet[0] != _IS_FRAME:
        whole = Unreadable.model_validate_json(packet)
        return packed(whole.model_copy(update={"missed": count}))
    return packet[:_MISSED_AT] + _MISSED.pack(count) + packet[_MISSED_AT + _MISSED.size :]


def shape_of(shape: bytes) -> Shape:
    """Read what ``Shown.shape`` holds.

    Raises:
        MessageInvalid: it is no shape.
    """
    code, count, *dims = struct.unpack("<BBxx4I", shape)
    if code >= len(DTYPES) or not 1 <= count <= _MOST_DIMS:
        raise MessageInvalid("read packet", "of a frame", f"there is no type {code}, or it has {count} axes")
    return Shape(DTYPES[code], tuple(dims[:count]))


def unreadable(error: InputRejected) -> bytes:
    """Give the packet that says that a frame cannot be read."""
    return packed(Unreadable(**flattened(error)))


def lost(error: AgentError) -> Lost:
    """Say that the source is gone, and why."""
    return Lost(**flattened(error))


def refused(error: AgentError) -> Refused:
    """Say that it can never be opened, and why."""
    loc = error.loc if isinstance(error, ConfigInvalid) else ()
    cut = [part if isinstance(part, int) else part[:200] for part in loc[:32]]
    return Refused(**flattened(error), loc=cut)


def refusal(said: Refused) -> AgentError:
    """Make the error again, with the path of the key that is wrong."""
    if said.error != ConfigInvalid.__name__:
        return error_of(said)
    return ConfigInvalid(said.op, said.subject, said.problem, said.hint, loc=tuple(said.loc))


def said(packet: bytes) -> Said:
    """Read a packet of a capture process.

    Raises:
        MessageInvalid: it is none that it sends.
    """
    if packet[:1] == b"{":
        return read(_told, packet, "of a capture process")
    try:
        kind, slot, count, captured_ns, *_ = _FRAME.unpack_from(packet)
        origin = packet[_FRAME.size :].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise MessageInvalid("read packet", "of a frame", str(error)) from error
    if kind != _IS_FRAME or count >= 1 << 53:
        raise MessageInvalid("read packet", "of a frame", f"there is no kind {kind}, or it missed {count}")
    return Shown(slot, count, captured_ns, packet[_SHAPE_AT : _FRAME.size], origin)
