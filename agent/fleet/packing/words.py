"""What ``edgectl pack`` and ``quantize`` ask of the processes that run models for them, and their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from agent.manifest import Pre, Tensor
from agent.processes.message import Message, read
from agent.workers.messages import Fault

KEPT: dict[str, tuple[int, tuple[str, ...]]] = {
    "classification": (1, ("label", "score")),
    "detection": (200, ("label", "score", "box")),
    "pose": (50, ("label", "score", "box")),
    "segmentation": (100, ("label", "score", "share", "box")),
    "embedding": (1, ("label", "score", "vector")),
    "image": (1, ("size", "channels")),
    "anomaly": (1, ("label", "index", "score")),
    "keywords": (1, ("label", "score")),
    "regression": (256, ("label", "value")),
    "forecast": (512, ("label", "step", "value")),
    "sequence": (1, ("text", "tokens")),
    "tensor": (64, ("shape", "dtype", "argmax", "min", "max", "mean")),
}
"""How many items of a golden answer are recorded, and which keys; of other tasks all."""

_Ms = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class GoldenInput(Message):
    """A file that the ``images`` source reads, and how far its answer's numbers may be off."""

    path: str
    tol: float


class TrialAsk(Message):
    """A model to try. ``labels`` is a file of names, or "" for what is packed in the model."""

    model: str
    labels: str = ""
    task: str
    pre: Pre = Pre()
    post: dict[str, Any] = Field(default={})
    goldens: tuple[GoldenInput, ...] = ()
    measure: bool = False
    """Whether to find out what it costs."""


class Sample(Message):
    """A file that the ``images`` source reads; ``folder`` is the class that its folder names, or ""."""

    path: str
    folder: str = ""


class QuantizeAsk(Message):
    """A model to quantize, and what to calibrate and to measure with; the result goes to ``folder``/out."""

    model: str
    folder: str
    labels: str = ""
    pre: Pre = Pre()
    calibration: tuple[Sample, ...]
    held_out: tuple[Sample, ...]


class Step(Message):
    """So much is done."""

    type: Literal["step"] = "step"
    done: int
    of: int


class Contract(Message):
    """The model's tensors and what runs it; ``sha256`` is of the bytes that were loaded."""

    type: Literal["contract"] = "contract"
    sha256: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    quantized: bool
    runtime: str
    delegate: str
    delegated: tuple[int, int]


class Answer(Message):
    """What the model makes of a golden input."""

    type: Literal["answer"] = "answer"
    number: int
    items: list[dict[str, Any]]


class Cost(Message):
    """What an inference takes, milliseconds, and the loaded model's memory, 2^20 bytes."""

    type: Literal["cost"] = "cost"
    runs: int
    p50_ms: _Ms
    p95_ms: _Ms
    rss_mb: _Ms


class Quantized(Message):
    """What came of a quantization, on the inputs that were held out.

    ``measure`` "top-1": ``agreement`` is the share of inputs for which both models give the same class.
    "outputs": it is 1 - |after - before| / |before|, over all numbers of all outputs (Euclidean norms).
    ``scored`` inputs had a known class, of which so many were right.
    """

    type: Literal["quantized"] = "quantized"
    measure: Literal["top-1", "outputs"]
    agreement: float
    scored: int = 0
    right_before: int = 0
    right_after: int = 0
    quantized: bool


class Done(Message):
    """That was all."""

    type: Literal["done"] = "done"


Said = Step | Contract | Answer | Cost | Quantized | Done | Fault
_said: TypeAdapter[Said] = TypeAdapter(Annotated[Said, Field(discriminator="type")])


def parse(packet: bytes) -> Said:
    """Read a packet.

    Raises:
        MessageInvalid: it is none of these.
    """
    return read(_said, packet, "of the trial")
