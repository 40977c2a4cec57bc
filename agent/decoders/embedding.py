"""Embedding: a vector that says what a frame is like, and what in a gallery is nearest to it.

The model has one output whose shape, without its ones, is (dimensions,). The vector is brought to length 1.
A gallery is a .npy file of numbers (entries, dimensions) beside the model, option ``gallery``; the labels
name its entries, one each, and several may have one name.

The similarity is the cosine of the angle between two vectors. A vector of zeros has no direction: it stays as
it is, and its cosine with any other is 0. A vector with a number that is NaN or infinite is rejected.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import garbage, is_number, misfit
from agent.errors import ModelInvalid
from agent.labels import MAX_LABELS
from agent.npy import parse_npy
from agent.tensors import dequantize
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

FILES = ("gallery",)
"""Options that name files beside the model: ``build`` is given their bytes."""

_MOST_DIMENSIONS = 4096
_AT_ONCE = 1 << 20
"""Numbers of a gallery that are made float64 at once: all of them may take eight times the file."""
_DIGITS = 6


class Options(BaseModel):
    """What is compared, and how much is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gallery: str = Field(
        default="", description="a .npy file of known vectors; without one there is no label"
    )
    top_k: int = Field(default=1, ge=1, le=100, description="how many entries at most, the nearest first")
    min_score: float = Field(default=0.0, ge=0, le=1, description="leave out entries below this score")
    vector: bool = Field(
        default=False, description="tell the vector, too; without a gallery it is always told"
    )
    digits: int = Field(default=4, ge=1, le=6, description="how many decimal places of the vector are told")


def build(
    options: Options,
    signature: Signature,
    labels: Labels,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> EmbeddingDecoder:
    """Make the decoder for a model of this signature.

    Args:
        options: of this decoder.
        signature: the model's tensors.
        labels: of the gallery's entries.
        files: the bytes of the gallery, where there is one.

    Raises:
        ModelInvalid: the output is no vector, or the gallery or its labels do not fit it.
    """
    outputs = signature.outputs
    wide = [size for size in outputs[0].shape if size != 1] if len(outputs) == 1 else []
    if len(wide) != 1 or not 2 <= wide[0] <= _MOST_DIMENSIONS or not is_number(outputs[0]):
        raise misfit("embedding", f"one output, a vector of 2 to {_MOST_DIMENSIONS} numbers", outputs)
    gallery = _gallery(options.gallery, files["gallery"], wide[0], labels) if options.gallery else None
    return EmbeddingDecoder(options, outputs[0], gallery, labels)


def _gallery(name: str, data: bytes, dimensions: int, labels: Labels) -> Array:
    """Read a gallery: float32 (entries, dimensions), each of length 1."""
    try:
        entries = parse_npy(data)
    except ValueError as error:
        raise _unfit(name, str(error), "Save it with numpy.save") from error
    if entries.ndim != 2 or entries.shape[1] != dimensions:
        problem = f"its shape is {list(entries.shape)}, and the model gives {dimensions} numbers"
        raise _unfit(name, problem, f"Give vectors of this very model: [entries, {dimensions}]")
    if len(entries) > MAX_LABELS:
        raise _unfit(name, f"it has {len(entries)} entries", f"Give {MAX_LABELS} at most")
    if not np.isfinite(entries).all():
        raise _unfit(name, "it holds numbers that are not finite", "Make it again")
    if len(labels.names) not in (0, len(entries)):
        problem = f"it has {len(entries)} entries, and there are {len(labels.names)} labels"
        raise _unfit(name, problem, "Give a label file with one line an entry")
    unit: Array = np.empty(entries.shape, np.float32)
    for start in range(0, len(entries), rows := max(1, _AT_ONCE // dimensions)):
        unit[start : start + rows] = _unit(entries[start : start + rows])
    return unit


def _unfit(name: str, problem: str, hint: str) -> ModelInvalid:
    return ModelInvalid("read gallery", name, problem, hint)


class EmbeddingDecoder:
    """Items are the nearest entries of the gallery, then the vector.

    An entry is {"label", "index", "score", "distance"}: the score is (1 + cosine) / 2, the distance
    1 - cosine. Of several entries with one name the nearest counts. The vector, where it is told, is
    {"vector": [...]}.
    """

    def __init__(self, options: Options, output: TensorSpec, gallery: Array | None, labels: Labels) -> None:
        self._options = options
        self._output = output
        self._gallery = gallery
        self._labels = labels

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's output.

        Raises:
            InputRejected: a number of it is not finite.
        """
        values = dequantize(outputs[0], self._output).reshape(-1)
        if not np.isfinite(values).all():
            problem = "the vector has numbers that are not finite"
            raise garbage(self._output.name, problem)
        vector = _unit(values)
        items: list[dict[str, Any]] = []
        if self._gallery is not None:
            items = self._nearest((self._gallery @ vector.astype(np.float32)).clip(-1, 1))
        if self._gallery is None or self._options.vector:
            items.append({"vector": (vector.round(self._options.digits) + 0.0).tolist()})
        return Result("embedding", tuple(items))

    def _nearest(self, cosines: Array) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for index in np.argsort(-cosines, kind="stable").tolist():
            cosine = cosines.item(index)
            score = round((1 + cosine) / 2, _DIGITS)
            if len(found) == self._options.top_k or score < self._options.min_score:
                break
            label = self._labels.name(index)
            if label not in found:
                distance = round(1 - cosine, _DIGITS)
                found[label] = {"label": label, "index": index, "score": score, "distance": distance}
        return list(found.values())


def _unit(vectors: Array) -> Array:
    """Bring vectors to length 1, along the last dimension: float64. One of zeros stays as it is."""
    wide = vectors.astype(np.float64)
    most = np.abs(wide).max(axis=-1, keepdims=True)
    wide = wide / np.where(most > 0, most, 1)  # so that no square is too large or too small for a float64
    lengths = np.sqrt(np.square(wide).sum(axis=-1, keepdims=True))
    unit: Array = wide / np.where(lengths > 0, lengths, 1)
    return unit
