"""What scores enough in large outputs: found in the numbers as they are stored, before any is made real."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from agent.decoders._fit import garbage
from agent.tensors import is_quantized

if TYPE_CHECKING:
    from agent.decoders._output import Output
    from agent.types import Array

Activation = Literal["none", "sigmoid", "softmax"]

_MOST = 1000
"""How many scores go on at most, the best ones: their boxes are decoded and compared."""
_MANY = 200_000
"""From so many scores on ``places`` folds them."""
SLACK = 1e-6
"""The decoder compares scores after rounding: here nothing must be lost to float32."""


class Candidates(NamedTuple):
    """Rows that score enough, by row, then class: the row, its class, and the score (float32), each (K,)."""

    rows: Array
    classes: Array
    scores: Array

    def best(self, most: int = _MOST) -> Candidates:
        """Give the best ``most``, the best first, of each row one; equal scores stand as they did."""
        order = best_first(self.scores, most)
        rows = self.rows[order]
        seen = np.empty(int(rows.max()) + 1 if rows.size else 0, np.intp)
        places = np.arange(len(rows))
        seen[rows[::-1]] = places[::-1]  # of equal indices the last assignment stays
        order = order[seen[rows] == places]
        return Candidates(self.rows[order], self.classes[order], self.scores[order])


def best_first(scores: Array, most: int) -> Array:
    """Give the indices of the ``most`` highest of finite scores (K,), the highest first; equal ones rise."""
    if scores.size <= most:
        return np.argsort(-scores, kind="stable")
    bar = np.partition(scores, -most)[-most]
    over = np.flatnonzero(scores > bar)
    level = np.flatnonzero(scores == bar)[: most - over.size]
    chosen = np.concatenate((over, level))
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def find_rows(
    output: Output, part: Array, least: float, activation: Activation = "none", *, first: int = 0
) -> Candidates:
    """Give what scores ``least`` or more.

    Args:
        output: where the scores come from.
        part: its stored scores (rows, classes).
        least: of what the activation gives.
        activation: what makes the stored numbers scores.
        first: the first class that counts, 1 after a background; classes are counted from it.

    Raises:
        InputRejected: no score is finite.
    """
    if activation == "softmax":
        found = _of_softmax(output, part, least - SLACK, first)
    else:
        bar = least - SLACK if activation == "none" else logit(least - SLACK)
        marked = output.at_least(part[:, first:], bar)
        rows, classes = np.divmod(places(marked, len(part)), marked.shape[1])
        real = output.real(part[rows, classes + first])
        good = np.isfinite(real)
        real = real[good]
        found = Candidates(rows[good], classes[good], real if activation == "none" else sigmoid(real))
    if not found.rows.size:
        see_numbers(output, part)
    return found


def see_numbers(output: Output, part: Array) -> None:
    """See that there is a finite score in ``part``.

    Raises:
        InputRejected: there is none.
    """
    if part.size and not np.isfinite(part.flat[0]) and not np.isfinite(part).any():
        raise garbage(output.spec.name, f"none of its {part.size} scores is finite")


def of_columns(output: Output, part: Array, least: float) -> Candidates:
    """Do as ``find_rows`` for scores (classes, rows) that need no activation."""
    classes, rows = np.divmod(places(output.at_least(part, least - SLACK), part.shape[1]), part.shape[1])
    order = np.argsort(rows, kind="stable")  # equal scores stand as in (rows, classes)
    rows, classes = rows[order], classes[order]
    real = output.real(part[classes, rows])
    good = np.isfinite(real)
    if not good.any():
        see_numbers(output, part)
    return Candidates(rows[good], classes[good], real[good])


def places(marked: Array, width: int) -> Array:
    """Give the flat indices of the marks, rising, as ``flatnonzero`` does; quicker where few are marked.

    The marks are folded to ``width``, which must divide their number: most columns hold none.
    """
    if marked.size < _MANY:
        return np.flatnonzero(marked)
    folded = marked.reshape(-1, width)
    some = np.flatnonzero(folded.any(axis=0))
    fold, at = np.nonzero(folded[:, some])
    found: Array = fold * width + some[at]
    return found


def sigmoid(values: Array) -> Array:
    """Give 1 / (1 + exp(-x)): float32; far from 0 it is 0 or 1."""
    scores: Array = 1 / (1 + np.exp(-values.astype(np.float64).clip(-500, 500)))
    return scores.astype(np.float32)


def logit(score: float) -> float:
    """Give the number whose sigmoid is ``score``, a little below; infinite where there is none."""
    if score <= 0:
        return -math.inf
    return math.log(score / (1 - score)) - SLACK if score < 1 else math.inf


def _of_softmax(output: Output, part: Array, least: float, first: int) -> Candidates:
    """Make real only rows where a class comes near enough: p >= least needs x >= max + ln(least)."""
    rows = np.arange(len(part))
    if least > 0:
        step = (
            output.spec.scale[0] if is_quantized(output.spec) and np.dtype(part.dtype).kind in "iu" else 1.0
        )
        near = part[:, first:].max(axis=1, initial=_lowest(part))
        with np.errstate(invalid="ignore"):
            behind = part.max(axis=1).astype(np.float64) - near
        rows = np.flatnonzero(behind * step <= -math.log(least) + SLACK)
    real = output.real(part[rows]).astype(np.float64)
    good = np.isfinite(real).all(axis=1)
    rows, real = rows[good], real[good]
    powers = np.exp(real - real.max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True))[:, first:].astype(np.float32)
    at, classes = np.nonzero(scores >= np.float32(least))
    return Candidates(rows[at], classes, scores[at, classes])


def _lowest(part: Array) -> float:
    return -math.inf if part.dtype.kind == "f" else int(np.iinfo(part.dtype).min)
