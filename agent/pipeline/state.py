"""What a recurrent model carries from frame to frame: numbers of its outputs that are its next inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import InputRejected
from agent.tensors import dequantize, quantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, TensorSpec


@dataclass(frozen=True, slots=True)
class Link:
    """An output, and the input that it becomes.

    Attributes:
        source: the output's position.
        given: the output.
        target: the input's position.
        taken: the input, of as many numbers.
        initial: the input's array before any frame.
    """

    source: int
    given: TensorSpec
    target: int
    taken: TensorSpec
    initial: Array

    def carried(self, output: Array) -> Array:
        """Give the next input; ``initial`` where the output is not finite, which would never end.

        Raises:
            InputRejected: the graph has made it of another size.
        """
        if output.size != self.initial.size:
            problem = (
                f"its shape is {list(output.shape)} for this frame, and it is carried to {self.taken.name}"
            )
            raise InputRejected("run model", self.given.name, problem, "Convert the model with fixed shapes")
        if not _finite(output):
            return self.initial
        same = (self.given.dtype, self.given.scale, self.given.zero_point) == (
            self.taken.dtype, self.taken.scale, self.taken.zero_point,
        )  # fmt: skip
        if not same:
            with np.errstate(over="ignore"):  # what overflows begins anew, too
                output = quantize(dequantize(output, self.given), self.taken)
            if not _finite(output):
                return self.initial
        return output.reshape(self.taken.shape)


class State:
    """The state of one model. The infer thread alone uses it, so frames get it in their order.

    It lies outside the input buffers: frames that are under way share none of it.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._opening = -1
        self._now: list[Array] = []
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._now = [link.initial for link in self._links]

    def give(self, inputs: Sequence[Array], opening: int) -> None:
        """Write the state into a frame's inputs.

        Args:
            inputs: all of the model's.
            opening: which opening of the source the frame is from; another one than before begins anew.
        """
        if opening != self._opening:
            self._opening = opening
            self.reset()
        for link, value in zip(self._links, self._now, strict=True):
            np.copyto(inputs[link.target], value)

    def take(self, outputs: Sequence[Array]) -> None:
        """Keep what the outputs say of the state.

        Raises:
            InputRejected: as ``Link.carried`` does; the state stays what it was.
        """
        self._now = [link.carried(outputs[link.source]) for link in self._links]


def _finite(numbers: Array) -> bool:
    return numbers.dtype.kind != "f" or bool(np.isfinite(numbers).all())
