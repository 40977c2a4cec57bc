"""Classification: one score per class, the best few reported.

The model has one output whose shape, without its ones, is (classes,). ``activation`` says what turns it into
scores, see ``_scores``. Logits pass through softmax, as one class is the right one; with ``multi_label`` any
number of classes may be, and logits pass through a sigmoid each.

Classes whose value is NaN or infinite are never reported; where no value is finite, the frame is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.decoders._fit import check_labels, garbage, is_number, misfit
from agent.decoders._scores import Activation, activate, settled
from agent.tensors import dequantize, is_quantized
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders._scores import Logits
    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

_DIGITS = 6


class Options(BaseModel):
    """Which classes are reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(default=5, ge=1, le=100, description="how many classes at most, best first")
    min_score: float = Field(default=0.0, ge=0, le=1, description="leave out classes below this score")
    activation: Activation = Field(default="auto", description="what turns the output into scores")
    multi_label: bool = Field(default=False, description="each class may be there or not, beside the others")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.multi_label and self.activation == "softmax":
            raise ValueError("softmax shares one score among all classes, which multi_label does not")
        return self


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
        self._logits: Logits = "sigmoid" if options.multi_label else "softmax"
        self._activation = settled(options.activation, output, self._logits)
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
        if self._plain:  # the stored integers order as the scores do: only the best need be dequantized
            raw = outputs[0].reshape(-1)
            best = _best(raw, self._options.top_k)
            return self._result(best, [self._score(raw.item(index)) for index in best])
        values = dequantize(outputs[0], self._output).reshape(-1)
        finite = np.isfinite(values)
        if not finite.any():
            problem = f"none of its {values.size} values is finite"
            raise garbage(self._output.name, problem)
        scores = activate(self._activation, values, finite, self._logits)
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
