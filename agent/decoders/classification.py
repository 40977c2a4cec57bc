"""Classification: one score per class, the best few reported.

The model has one output whose shape, without its ones, is (classes,). ``activation`` says what turns it into
scores: "none" (they are scores), "softmax" or "sigmoid" (they are logits). "auto" decides this way:

- a quantized output is scores when its type cannot express anything outside [0, 1] (for 16 bits [-1, 1],
  since their zero point is always 0), else logits (softmax);
- a float output is scores when all its finite values lie in [0, 1], else logits (softmax). This looks at
  each frame's values: name the activation where logits may happen to lie in [0, 1].

Classes whose value is NaN or infinite are never reported; where no value is finite, the frame is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import check_labels, is_number, misfit
from agent.errors import InputRejected
from agent.tensors import dequantize, is_quantized
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

Activation = Literal["auto", "none", "softmax", "sigmoid"]

_SLACK = 1e-3
"""How far scores may stray from [0, 1] by rounding and still be scores."""
_DIGITS = 6


class Options(BaseModel):
    """Which classes are reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(default=5, ge=1, le=100, description="how many classes at most, best first")
    min_score: float = Field(default=0.0, ge=0, le=1, description="leave out classes below this score")
    activation: Activation = Field(default="auto", description="what turns the output into scores")


def build(options: Options, signature: Signature, labels: Labels) -> ClassificationDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: there is not exactly one output, it is no list of at least two numbers, or the labels
            are not as many.
    """
    outputs = signature.outputs
    wide = [size for size in outputs[0].shape if size != 1] if len(outputs) == 1 else []
    if len(wide) != 1 or not is_number(outputs[0]):
        raise misfit("classification", "one output with a score per class, such as [1, 1001]", outputs)
    check_labels(labels, wide[0], "classification")
    return ClassificationDecoder(options, outputs[0], labels)


class ClassificationDecoder:
    """Items are {"label", "index", "score"}, the best first; of equal scores, the lower index first."""

    def __init__(self, options: Options, output: TensorSpec, labels: Labels) -> None:
        self._options = options
        self._output = output
        self._labels = labels
        self._activation = _settled(options.activation, output)
        self._plain = self._activation == "none" and len(output.scale) == 1 and is_quantized(output)

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's output.

        Raises:
            InputRejected: none of the values is finite.
        """
        raw = outputs[0].reshape(-1)
        if self._plain:  # the stored integers order as the scores do: only the best need be dequantized
            best = _best(raw, self._options.top_k)
            return self._result(best, [self._score(raw.item(index)) for index in best])
        values = dequantize(raw, self._output)
        finite = np.isfinite(values)
        if not finite.any():
            problem = f"none of its {values.size} values is finite"
            raise InputRejected("decode", self._output.name, problem, "Check the model with --task tensor")
        scores = _activate(self._activation, values, finite)
        best = _best(scores, self._options.top_k)
        return self._result(best, [round(score, _DIGITS) for score in scores[best].tolist()])

    def _score(self, stored: int) -> float:
        """Dequantize one score: without an array, which costs many times as much."""
        (scale,), (zero_point,) = self._output.scale, self._output.zero_point
        return round(min(max((stored - zero_point) * scale, 0.0), 1.0), _DIGITS)

    def _result(self, best: Sequence[int], scores: Sequence[float]) -> Result:
        """Name the classes ``best``; a score of -1 marks none."""
        items = tuple(
            {"label": self._labels.name(index), "index": index, "score": score}
            for index, score in zip(best, scores, strict=True)
            if score >= self._options.min_score and score >= 0
        )
        return Result("classification", items)


def _settled(activation: Activation, output: TensorSpec) -> Activation:
    """Settle "auto" where the output's type alone decides."""
    if activation != "auto" or not is_quantized(output):
        return activation
    info = np.iinfo(output.dtype)
    low, high = (dequantize(np.array([edge]), output)[0] for edge in (info.min, info.max))
    least = -1 if info.bits == 16 else 0
    return "none" if low >= least - _SLACK and high <= 1 + _SLACK else "softmax"


def _activate(activation: Activation, values: Array, finite: Array) -> Array:
    """Give scores in [0, 1] for all finite ``values``, and -1 for the others."""
    if activation == "auto":
        low, high = values.min(where=finite, initial=0), values.max(where=finite, initial=0)
        activation = "none" if low >= -_SLACK and high <= 1 + _SLACK else "softmax"
    if activation == "softmax":
        with np.errstate(over="ignore"):  # a difference that overflows is a score of zero
            below = values - values.max(where=finite, initial=-np.inf)
        powers = np.exp(below, where=finite, out=np.zeros_like(values))
        scores = powers / powers.sum()
    elif activation == "sigmoid":
        scores = 1 / (1 + np.exp(-np.clip(values, -80, 80)))
    else:
        scores = values
    return np.where(finite, np.clip(scores, 0, 1), -1)


def _best(scores: Array, count: int) -> list[int]:
    """Give the indices of the ``count`` best, the best first; of equal ones, the lower index first."""
    if count < scores.size:
        least = np.partition(scores, -count)[-count]
        chosen = (scores >= least).nonzero()[0]
        if chosen.size > count:  # several share the last place
            level = (scores[chosen] == least).nonzero()[0][count - chosen.size :]
            chosen = np.delete(chosen, level)
    else:
        chosen = np.arange(scores.size)
    pairs = zip(scores[chosen].tolist(), chosen.tolist(), strict=True)
    return [index for _, index in sorted(pairs, key=_rank)]


def _rank(pair: tuple[float, int]) -> tuple[float, int]:
    return -pair[0], pair[1]
