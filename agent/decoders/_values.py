"""Real numbers that are no scores: dequantized, in their own unit, within their own range."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import StringConstraints

from agent.decoders._fit import garbage
from agent.errors import ModelInvalid
from agent.tensors import dequantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, TensorSpec

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_MOST_BYTES = 48_000
"""Of a result's items, at most: one message between processes takes 64 KiB, and a record 56."""


def finite(outputs: Sequence[Array], specs: Sequence[TensorSpec]) -> Array:
    """Give all numbers of all outputs, one after the other: float64 (values,).

    Raises:
        InputRejected: one of them is NaN or infinite.
    """
    pairs = zip(outputs, specs, strict=True)
    values = np.concatenate([dequantize(array, spec).reshape(-1).astype(np.float64) for array, spec in pairs])
    check_finite(values, specs[0].name)
    return values


def check_finite(values: Array, name: str) -> None:
    """See that there is no NaN among them, and nothing infinite.

    Raises:
        InputRejected: there is.
    """
    if bad := values.size - int(np.count_nonzero(np.isfinite(values))):
        problem = f"{bad} of its {values.size} values are NaN or infinite"
        raise garbage(name, problem)


def rounded(values: Array) -> list[float]:
    """Give them with the digits of a float32: what lies beyond is an accident of the arithmetic."""
    return [float(f"{value:.7g}") for value in values.tolist()]


class Linear:
    """What brings a model's numbers back to their unit: value = output x scale + offset.

    Args:
        scale: one for all values, or one for each; 1 where it is empty.
        offset: likewise; 0 where it is empty.
        count: how many values there are.
        task: of the decoder.

    Raises:
        ModelInvalid: there is another number of them.
    """

    def __init__(self, scale: Sequence[float], offset: Sequence[float], count: int, task: str) -> None:
        self._scale = one_or_each("scale", scale, count, task)
        self._offset = one_or_each("offset", offset, count, task)

    def __call__(self, values: Array, name: str) -> Array:
        """Give the values of numbers (..., count), float64; ``name`` is the output's.

        Raises:
            InputRejected: one is too large for a float64.
        """
        with np.errstate(over="ignore"):  # what overflows is refused below
            values = values if self._scale is None else values * self._scale
            values = values if self._offset is None else values + self._offset
        check_finite(values, name)
        return values


def names_of(given: Sequence[str], labels: Labels, count: int, task: str, what: str) -> Sequence[str]:
    """Give the names of ``count`` values, called ``what``: those given, else the labels, else numbered ones.

    Raises:
        ModelInvalid: there are more or fewer names.
    """
    names = given or labels.names or [f"value {index}" for index in range(count)]
    if len(names) != count:
        problem = f"there are {len(names)} {'names' if given else 'labels'} for {count} {what}"
        raise ModelInvalid("decode as", task, problem, f"Give {count}")
    return names


def one_or_each(what: str, given: Sequence[float], count: int, task: str) -> Array | None:
    """Give an option that is one number for all values or one for each, float64; None where it is empty.

    Raises:
        ModelInvalid: it has another number of numbers.
    """
    if not given:
        return None
    check_count(what, len(given), count, task)
    return np.array(given, np.float64)


def check_count(what: str, found: int, count: int, task: str) -> None:
    """See that there is none, one for all, or one for each.

    Raises:
        ModelInvalid: there are more or fewer.
    """
    if found not in (0, 1, count):
        problem = f"{what} has {found} entries for {count} values"
        raise ModelInvalid("decode as", task, problem, f"Give one for all, or {count}")


def check_size(items: int, item_bytes: int, task: str) -> None:
    """See that a result of so many items, of at most so many bytes each, can be sent.

    Raises:
        ModelInvalid: it cannot.
    """
    if items * item_bytes > _MOST_BYTES:
        problem = f"{items} values of up to {item_bytes} bytes of JSON are more than one result holds"
        raise ModelInvalid("decode as", task, problem, "Give shorter names, or use --task tensor")


def json_bytes(text: str) -> int:
    """Give the most bytes that ``text`` takes in JSON."""
    return len(json.dumps(text))  # escapes all but ASCII, which is never shorter than UTF-8
