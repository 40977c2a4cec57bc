"""What workers and an accelerator process say to each other: one SEQPACKET packet each, checked at both ends.

Loading is JSON; what goes with each frame is a fixed head of 24 bytes, little-endian: kind (1 byte), 3 of
zero, handle (u32), sequence number (u64), microseconds (u64); after ``FAILED`` a text follows. Tensors and
models never ride in a packet: they lie in sealed memory whose descriptor does, see ``memory``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal

import orjson
from pydantic import Field, TypeAdapter

from agent.errors import AgentError, MessageInvalid
from agent.processes.message import Count, Flat, Message, Word, flattened, read
from agent.types import TensorSpec

MOST_MODELS = 2
"""Models of one worker that may be loaded at once: the one that serves, and the one that it swaps to."""
_HEAD = struct.Struct("<B3xIQQ")
_MOST_TEXT = 2000

Handle = Annotated[int, Field(ge=0, lt=1 << 32)]
Sort = Literal[
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "float32", "float64",
]  # fmt: skip
"""The element types that can lie in shared memory."""


class Tensor(Message):
    """A tensor's contract, on the wire; see ``agent.types.TensorSpec``."""

    name: Word
    dtype: Sort
    shape: tuple[Annotated[int, Field(ge=0, lt=1 << 31)], ...] = Field(max_length=8)
    scale: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(default=(), max_length=1024)
    zero_point: tuple[int, ...] = Field(default=(), max_length=1024)
    axis: Annotated[int, Field(ge=0, lt=8)] = 0

    def spec(self) -> TensorSpec:
        """The same for the inside."""
        return TensorSpec(self.name, self.dtype, self.shape, self.scale, self.zero_point, self.axis)


class Hello(Message):
    """The accelerator process's first word on a connection."""

    type: Literal["hello"] = "hello"
    title: Word
    """What results name it."""
    variant: Word
    """Which of a bundle's variants it runs; "" for the model that any CPU runs."""
    native: bool
    """Whether a library of its own computes, which must take some of a model's operators."""


class Load(Message):
    """Load the model in the descriptor that comes with it; the answer is ``loaded`` or ``refused``."""

    type: Literal["load"] = "load"
    handle: Handle
    name: Word


class Drop(Message):
    """Let go of a model; there is no answer."""

    type: Literal["drop"] = "drop"
    handle: Handle


class Loaded(Message):
    """A model is loaded; the descriptor that comes with it is the memory of its tensors."""

    type: Literal["loaded"] = "loaded"
    handle: Handle
    inputs: tuple[Tensor, ...] = Field(min_length=1, max_length=16)
    outputs: tuple[Tensor, ...] = Field(min_length=1, max_length=64)
    runtime: Word
    delegate: Word
    delegated: tuple[Count, Count]


class Refused(Flat):
    """A model could not be loaded, and why."""

    type: Literal["refused"] = "refused"
    handle: Handle


class Busy(Message):
    """The accelerator loads another worker's model, or has done so: until then it answers nobody."""

    type: Literal["busy"] = "busy"
    busy: bool


class Kind(IntEnum):
    """What a packet with a fixed head is; none begins as JSON does."""

    INFER = 1
    DONE = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Turn:
    """One inference: asked for, done or failed.

    Attributes:
        kind: which of these.
        handle: the model.
        seq: rises by one with each request of a connection; the answer repeats it.
        us: how long the runtime took, microseconds; 0 in a request.
        problem: why it failed.
    """

    kind: Kind
    handle: int
    seq: int
    us: int = 0
    problem: str = ""

    def packet(self) -> bytes:
        """The bytes."""
        head = _HEAD.pack(self.kind, self.handle, self.seq, self.us)
        return head + self.problem[:_MOST_TEXT].encode() if self.problem else head


_Asked = Load | Drop
_Answered = Hello | Loaded | Refused | Busy
_asked: TypeAdapter[_Asked] = TypeAdapter(Annotated[_Asked, Field(discriminator="type")])
_answered: TypeAdapter[_Answered] = TypeAdapter(Annotated[_Answered, Field(discriminator="type")])


def asked(packet: bytes) -> Load | Drop | Turn:
    """Read a worker's packet.

    Raises:
        MessageInvalid: it is none that a worker sends.
    """
    if packet[:1] == b"{":
        return read(_asked, packet, "of a worker")
    return _turn(packet, (Kind.INFER,))


def answered(packet: bytes) -> Hello | Loaded | Refused | Busy | Turn:
    """Read a packet of an accelerator process.

    Raises:
        MessageInvalid: it is none that it sends.
    """
    if packet[:1] == b"{":
        return read(_answered, packet, "of an accelerator")
    return _turn(packet, (Kind.DONE, Kind.FAILED))


def packed(message: Message) -> bytes:
    """Give the packet of a message."""
    return orjson.dumps(message.model_dump(mode="json"))


def loaded(
    handle: int,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    facts: tuple[str, str, tuple[int, int]],
) -> Loaded:
    """Describe a loaded model; ``facts`` are runtime, delegate and delegated operators.

    Raises:
        ValueError: its tensors cannot be described: too many, or of a type that holds no numbers.
    """
    body = {
        "handle": handle,
        "inputs": [_described(one) for one in inputs],
        "outputs": [_described(one) for one in outputs],
        "runtime": facts[0][:200],
        "delegate": facts[1][:200],
        "delegated": facts[2],
    }
    return Loaded.model_validate(body)


def refused(handle: int, error: AgentError) -> Refused:
    """Say that a model could not be loaded, and why."""
    return Refused(handle=handle, **flattened(error))


def _described(spec: TensorSpec) -> dict[str, object]:
    return {
        "name": spec.name[:200],
        "dtype": spec.dtype,
        "shape": spec.shape,
        "scale": spec.scale,
        "zero_point": spec.zero_point,
        "axis": spec.axis,
    }


def _turn(packet: bytes, kinds: tuple[Kind, ...]) -> Turn:
    problem = ""
    try:
        kind, handle, seq, us = _HEAD.unpack_from(packet)
        if kind not in kinds:
            raise MessageInvalid("read packet", "of an inference", f"there is no kind {kind}")
        if kind == Kind.FAILED:
            problem = packet[_HEAD.size : _HEAD.size + 4 * _MOST_TEXT].decode()
        elif len(packet) != _HEAD.size:
            raise MessageInvalid("read packet", "of an inference", f"it has {len(packet)} bytes")
    except (struct.error, UnicodeDecodeError) as error:
        raise MessageInvalid("read packet", "of an inference", str(error)) from error
    return Turn(Kind(kind), handle, seq, us, problem)
