"""What ``edgectl pack`` and ``quantize`` ask of the processes that run models for them, and their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent.errors import MessageInvalid
from agent.manifest import Pre, Tensor
from agent.validation import first_problem
from agent.workers.messages import Fault

KEPT: dict[str, tuple[int, tuple[str, ...]]] = {
    "classification": (1, ("label", "score")),
    "detection": (200, ("label", "score", "box")),
    "anomaly": (1, ("label", "index", "score")),
    "tensor": (64, ("shape", "dtype", "argmax", "min", "max", "mean")),
}
"""How many items of a golden answer are recorded, and which keys; of other tasks all."""

_Ms = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GoldenInput(_Message):
    """A file that the ``images`` source reads, and how far its answer's numbers may be off."""

    path: str
    tol: float


class TrialAsk(_Message):
    """A model to try. ``labels`` is a file of names, or "" for what is packed in the model."""

    model: str
    labels: str = ""
    task: str
    pre: Pre = Pre()
    post: dict[str, Any] = {}
    goldens: tuple[GoldenInput, ...] = ()
    runs: int = 0
    """How many inferences are timed; 0 measures nothing."""


class QuantizeAsk(_Message):
    """A model to quantize. ``inputs`` are files; ``held_out`` names those that only measure, by number.

    ``classes`` gives, where known, the class of each input by its index, else -1.
    """

    model: str
    out: str
    pre: Pre = Pre()
    inputs: tuple[str, ...]
    held_out: tuple[int, ...] = ()
    folders: tuple[str, ...] = ()
    """The name of the folder that each input lies in, where these are class names."""
    labels: str = ""


class Step(_Message):
    """So much is done."""

    type: Literal["step"] = "step"
    done: int
    of: int


class Contract(_Message):
    """The model's tensors and what runs it; ``sha256`` is of the bytes that were loaded."""

    type: Literal["contract"] = "contract"
    sha256: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    quantized: bool
    runtime: str
    delegate: str
    delegated: tuple[int, int]


class Answer(_Message):
    """What the model makes of a golden input."""

    type: Literal["answer"] = "answer"
    number: int
    items: list[dict[str, Any]]


class Cost(_Message):
    """What an inference takes, milliseconds, and the loaded model's memory, 2^20 bytes."""

    type: Literal["cost"] = "cost"
    runs: int
    p50_ms: _Ms
    p95_ms: _Ms
    rss_mb: _Ms


class Quantized(_Message):
    """What came of a quantization. Shares are of the ``held_out`` inputs; ``scored`` had a known class."""

    type: Literal["quantized"] = "quantized"
    measure: str
    calibrated: int
    held_out: int
    agreement: float
    scored: int = 0
    right_before: int = 0
    right_after: int = 0
    quantized: bool


class Done(_Message):
    """That was all."""

    type: Literal["done"] = "done"


Said = Step | Contract | Answer | Cost | Quantized | Done | Fault
_said: TypeAdapter[Said] = TypeAdapter(Annotated[Said, Field(discriminator="type")])


def parse(packet: bytes) -> Said:
    """Read a packet.

    Raises:
        MessageInvalid: it is none of these.
    """
    try:
        return _said.validate_json(packet)
    except ValidationError as error:
        raise MessageInvalid("read packet", "of the trial", first_problem(error)) from error
