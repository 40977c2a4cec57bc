"""The words that flow along the data path, and the seams between its parts.

Everything here is light: the supervisor imports it, so numpy stays a name for type checkers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

JsonValue = Any
"""A value that JSON can carry: None, bool, int, float, str, list or dict of these."""


Box = tuple[float, float, float, float]
"""A rectangle as shares of a picture: ymin, xmin, ymax, xmax."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
"""The whole picture."""


class Phase(IntEnum):
    """What a thread of a worker does; each has a deadline, or none."""

    NONE = 0
    START = 1
    LOAD = 2
    OPEN = 3
    CAPTURE = 4
    PREPROCESS = 5
    WAIT = 6
    INVOKE = 7
    DECODE = 8
    SEND = 9


@dataclass(frozen=True, slots=True)
class Needs:
    """What a source or backend must reach, beyond what every worker may; all else is closed to it.

    Attributes:
        read: files, and folders with all that is below them.
        devices: device nodes that are read, written and controlled; one that is not there yet counts, too.
        network: whether it connects to anything.
        hotplug: whether it listens to the kernel for devices that come and go, as libusb does.
        can: whether it opens raw CAN sockets.
        programs: what a launcher beside it starts for it, as a worker may start nothing.
    """

    read: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    network: bool = False
    hotplug: bool = False
    can: bool = False
    programs: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A program that a source has started: whole, so that nobody can have another one started in its place.

    Attributes:
        argv: its name, which is looked up in PATH, or its path; and all that it is given.
        needs: what it must reach, beyond programs, libraries and /etc; the worker gets nothing of that.
    """

    argv: tuple[str, ...]
    needs: Needs = Needs()


@dataclass(frozen=True, slots=True)
class Frame:
    """One unit of input from a camera or a sensor; a window of samples is a frame, too.

    Attributes:
        seq: position in its source, from 0, rising by one; survives a restart of the worker.
        captured_ns: CLOCK_MONOTONIC at capture, nanoseconds. Wall time is stamped once, at the store.
        data: uint8 (height, width, 3) in BGR order for pictures, float32 (samples, channels) for windows.
            Valid until the next ``read``: a source may reuse the buffer.
        origin: where a recorded frame came from (a file name), else "".
        missed: frames just before it that were captured and never given to this reader; ``seq`` counts them.
    """

    seq: int
    captured_ns: int
    data: Array
    origin: str = ""
    missed: int = 0


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """What outlives a frame's pixels: enough to decode, and to say which frame it was.

    Attributes:
        seq: as ``Frame`` has it; so have ``captured_ns`` and ``origin``.
        height: of the frame, pixels (of a window: its samples).
        width: of the frame, pixels (of a window: its channels).
        region: the part of the frame that the model is shown: what a gate proposed, else the whole.
    """

    seq: int
    captured_ns: int
    height: int
    width: int
    origin: str = ""
    region: Box = WHOLE


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The contract of one input or output tensor, as the model file states it.

    Attributes:
        name: the tensor's name in the graph.
        dtype: numpy's name for the element type, such as "int8" or "float32".
        shape: the dimensions, batch first.
        scale: quantization scales; empty means not quantized, one means per tensor.
        zero_point: as many as scales.
        axis: the dimension that the scales run along when there are several.
        called: the tensor's name in the model's signature; "" where it has none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int = 0
    called: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """The tensors that a model takes and gives, each in the model's own order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What is said of one frame: by a decoder, and by the filters after it. JSON values only.

    Attributes:
        kind: the decoder's name.
        items: what it found; scores lie in [0, 1].
        events: what filters noticed in the results up to this one, each with its name as ``event``.
        also: results of further models of this frame, by the name of their stage: {"kind", "items"}.
    """

    kind: str
    items: tuple[Mapping[str, JsonValue], ...]
    events: tuple[Mapping[str, JsonValue], ...] = ()
    also: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A device that a source can read, as a look at files found it; see docs/howto/add-a-source.md.

    Attributes:
        name: what its maker or the kernel calls it.
        options: what opens it: all that its source must be told.
        guessed: the keys of these that are only a beginning, and belong to what is connected.
        about: more on it, a line each: what it can do.
        problem: why it cannot be used now, in a few words; "" where it can.
        hint: the next thing to do about that.
    """

    name: str
    options: Mapping[str, JsonValue]
    guessed: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""


class Source(Protocol):
    """Where frames come from. One thread reads it, and the same thread closes it."""

    @property
    def live(self) -> bool:
        """True when frames are lost unless read in time; False for recordings, which wait."""

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame, or None when none came in ``timeout_s``.

        Raises:
            SourceLost: the device or stream is gone; opening it again may help.
            SourceEnded: a recording has given its last frame.
            InputRejected: this one frame cannot be read (counted as failed); the next may be fine.
        """

    def close(self) -> None:
        """Release the device. Idempotent."""


@runtime_checkable
class Fills(Protocol):
    """A source that can write its next frame where it is told to."""

    def fill(self, buffer: Array | None) -> None:
        """Write the next frame into this, and give that very array as its data, where its shape and type fit.

        None has it use memory of its own. What was given before is not written to any more.
        """


class Backend(Protocol):
    """A loaded model on a runtime and a delegate."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The input tensors, in the model's order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The output tensors, in the model's order."""

    @property
    def runtime(self) -> str:
        """Name and version of the runtime, such as "ai-edge-litert 2.3.0"."""

    @property
    def delegate(self) -> str:
        """What runs the graph: "xnnpack", "cpu", or a delegate's name."""

    @property
    def delegated(self) -> tuple[int, int]:
        """How many operators the delegate has taken, and how many the model has."""

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        """Run the model once. What comes back is the caller's: no view into the interpreter's arena.

        Raises:
            BackendFault: the runtime or the delegate refused.
            DelegateLost: its accelerator is away, and this frame has no answer; a later one may have.
        """

    def close(self) -> None:
        """Free the model. Idempotent."""


class Decoder(Protocol):
    """Turns a model's outputs into a result. Pure: no I/O, no clock, no state."""

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        """Read ``outputs`` (raw, as the model gave them, still quantized) as this task's answer.

        ``inputs`` are the tensors that the model was given, as raw as the outputs and valid during this
        call only, for decoders that compare the two; without them such a decoder refuses the frame.

        Coordinates are shares of the model's input; what is around a decoder places them in the source's
        frame. No NaN leaves a decoder.

        Raises:
            InputRejected: the outputs hold nothing that can be decoded; the frame counts as failed.
        """
