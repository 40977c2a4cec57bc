"""Fills all inputs of a model: from the frame, with constants, with its size, with state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.errors import ModelInvalid
from agent.imaging.placing import place
from agent.inputs import Carried, Constant
from agent.pipeline.naming import find, listed, name_of
from agent.pipeline.preprocess import Preprocessor
from agent.pipeline.state import Link, State
from agent.tensors import quantize
from agent.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.inputs import Input
    from agent.manifest import Pre
    from agent.types import Array, Box, Frame, Signature, TensorSpec

_OP = "use model"
_HINT = (
    'Say of each in pre.inputs what fills it: "frame", "size", { constant = ... } or { from = "an output" }'
)
_SIZES = 2


class Filling:
    """How a model's inputs are filled. It owns scratch buffers: one thread at a time may use it.

    Args:
        signature: the model's.
        pre: what the manifest says of the frame, and of the inputs.
        model: the model's name, for errors.

    Raises:
        ModelInvalid: an input is not spoken of, or what is said of it does not fit.
        ManifestInvalid: ``pre`` does not fit the frame's input.
    """

    def __init__(self, signature: Signature, pre: Pre, model: str) -> None:
        told = told_of(signature.inputs, pre, model)
        self._specs = signature.inputs
        self.frame = _frame_of(told, model)
        self._sizes = [at for at, one in enumerate(told) if one == "size"]
        for at in self._sizes:
            _check_size(self._specs[at], model)
        self._constants = {
            at: _constant(self._specs[at], one.constant, model)
            for at, one in enumerate(told)
            if isinstance(one, Constant)
        }
        self._links = [
            _link(signature, at, one, model) for at, one in enumerate(told) if isinstance(one, Carried)
        ]
        plain = pre.model_copy(update={"inputs": {}})
        self._prepare = Preprocessor(self._specs[self.frame], plain)

    def __call__(self, frame: Frame, into: Sequence[Array], region: Box = WHOLE) -> None:
        """Write a frame into arrays that ``buffers`` gave; what is state is left as it is.

        Raises:
            InputRejected: as ``Preprocessor`` does.
        """
        self._prepare(frame, into[self.frame], region)
        for at in self._sizes:
            height, width = (*frame.data.shape, 1, 1)[:2]
            top, left, bottom, right = place((height, width), (1, 1), region=region).taken
            into[at].reshape(-1)[:] = (bottom - top, right - left)

    def buffers(self) -> tuple[Array, ...]:
        """Give an array for each input, with the constants and the initial state in them."""
        arrays = tuple(np.zeros(spec.shape, spec.dtype) for spec in self._specs)
        for at, value in self._constants.items():
            np.copyto(arrays[at], value)
        for link in self._links:
            np.copyto(arrays[link.target], link.initial)
        return arrays

    def state(self) -> State | None:
        """Give the state, at its beginning, of a model that has some."""
        return State(self._links) if self._links else None


def told_of(inputs: Sequence[TensorSpec], pre: Pre, model: str) -> list[Input]:
    """Say what fills each input, in the model's order; the only one takes the frame.

    Raises:
        ModelInvalid: an input is not spoken of, or something is said of one that is not there.
    """
    if len(inputs) == 1 and not pre.inputs:
        return ["frame"]
    found: dict[int, Input] = {}
    for called, one in pre.inputs.items():
        at = find(called, inputs)
        if at is None or at in found:
            what = "names an input twice" if at is not None else "names what is no input"
            problem = f"pre.inputs {what}: {called[:60]}; its inputs are {listed(inputs)}"
            raise ModelInvalid(_OP, model, problem, _HINT)
        found[at] = one
    if missing := [name_of(one) for at, one in enumerate(inputs) if at not in found]:
        problem = f"it has {len(inputs)} inputs, {listed(inputs)}, and pre.inputs lacks {', '.join(missing)}"
        raise ModelInvalid(_OP, model, problem, _HINT)
    return [found[at] for at in range(len(inputs))]


def frame_input(inputs: Sequence[TensorSpec], pre: Pre, model: str) -> TensorSpec:
    """Give the input that takes the frame.

    Raises:
        ModelInvalid: as ``Filling`` does.
    """
    return inputs[_frame_of(told_of(inputs, pre, model), model)]


def carried(signature: Signature, pre: Pre) -> frozenset[int]:
    """Give the positions of outputs that are nothing but the next inputs."""
    found = {find(one.from_, signature.outputs) for one in pre.inputs.values() if isinstance(one, Carried)}
    return frozenset(one for one in found if one is not None)


def _frame_of(told: Sequence[Input], model: str) -> int:
    if (count := told.count("frame")) != 1:
        raise ModelInvalid(_OP, model, f"pre.inputs gives the frame to {count} inputs", "Give it to one")
    return told.index("frame")


def _check_size(spec: TensorSpec, model: str) -> None:
    kind, least = np.dtype(spec.dtype), 4  # bytes: what is smaller does not hold every size
    if np.prod(spec.shape) != _SIZES or spec.scale or kind.kind not in "iuf" or kind.itemsize < least:
        problem = (
            f"its input {listed([spec])} holds no height and width: that is two plain numbers of 32 bits"
        )
        raise ModelInvalid(_OP, model, problem, _HINT)


def _constant(spec: TensorSpec, value: float | tuple[float, ...], model: str) -> Array:
    size = int(np.prod(spec.shape))
    if isinstance(value, tuple) and len(value) != size:
        problem = f"pre.inputs has {len(value)} numbers for {listed([spec])}"
        raise ModelInvalid(_OP, model, problem, f"Give one number, or {size}")
    numbers = np.broadcast_to(np.asarray(value, np.float64), (size,)).reshape(spec.shape)
    if spec.dtype == "bool":
        truths: Array = numbers != 0
        return truths
    with np.errstate(over="ignore"):  # what overflows is refused below
        stored = quantize(numbers, spec)
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        problem = f"pre.inputs has a number that {listed([spec])} does not hold"
        raise ModelInvalid(_OP, model, problem, "Give a smaller one")
    return stored


def _link(signature: Signature, target: int, told: Carried, model: str) -> Link:
    taken, outputs = signature.inputs[target], signature.outputs
    source = find(told.from_, outputs)
    if source is None:
        problem = f"its input {name_of(taken)} is carried from {told.from_[:60]}; it gives {listed(outputs)}"
        raise ModelInvalid(_OP, model, problem, "Name one of its outputs")
    given = outputs[source]
    if np.prod(given.shape) != np.prod(taken.shape):
        problem = f"its output {listed([given])} cannot become its input {listed([taken])}"
        raise ModelInvalid(_OP, model, problem, "Name an output of as many numbers")
    link = Link(source, given, target, taken, _constant(taken, told.initial, model))
    link.carried(
        np.zeros(given.shape, given.dtype)
    )  # what cannot be converted is refused now, not at a frame
    return link
