"""A loaded model with all that a frame needs of it. A worker swaps models by giving frames another engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agent.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.pipeline.state import State
    from agent.types import Array, Backend, Box, Decoder, Frame


class Prepare(Protocol):
    """Makes a model's inputs of a frame."""

    def __call__(self, frame: Frame, into: Sequence[Array], region: Box = WHOLE) -> None:
        """Write the region of the frame that the model is shown into arrays, one for each of its inputs.

        Raises:
            InputRejected: it does not fit.
        """


class Tending(Protocol):
    """What a backend does between two frames that may move from one delegate to another."""

    def tend(self, *, idle: bool, settled_ns: int) -> Sequence[Mapping[str, Any]]:
        """Do what is due, and what can wait for it when ``idle``; give what has changed since the last call.

        ``settled_ns`` is when the last frame that was inferred was captured, CLOCK_MONOTONIC; 0 for none yet.
        """

    def news(self) -> Sequence[Mapping[str, Any]]:
        """Give what has changed: messages that go before the result of the last inference."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """What makes a result of a frame. It never changes: frames that are under way keep the engine they have.

    Attributes:
        backend: the loaded model; one thread at a time may use it.
        decoder: what its outputs mean.
        prepare: writes a frame into input arrays.
        buffers: an array for each of the model's inputs, for each buffer of the slot.
        facts: what the worker says of the model: name, hash, runtime, delegate.
        tending: the backend, where it is to be tended.
        state: what the model carries from frame to frame, where it does.
    """

    backend: Backend
    decoder: Decoder
    prepare: Prepare
    buffers: Sequence[Sequence[Array]]
    facts: Mapping[str, Any]
    tending: Tending | None = None
    state: State | None = None

    def infer(self, inputs: Sequence[Array], opening: int) -> Sequence[Array]:
        """Run the model on a frame that ``prepare`` has written, with the state in it and kept of it.

        Args:
            inputs: one of ``buffers``.
            opening: which opening of the source the frame is from; another one than before begins anew.

        Raises:
            InputRejected: as the backend does; so ``BackendFault`` and ``DelegateLost``.
        """
        if self.state is None:
            return self.backend.infer(inputs)
        self.state.give(inputs, opening)
        outputs = self.backend.infer(inputs)
        self.state.take(outputs)
        return outputs
