"""A loaded model with all that a frame needs of it. A worker swaps models by giving frames another engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.types import Array, Backend, Decoder, Frame


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """What makes a result of a frame. It never changes: frames that are under way keep the engine they have.

    Attributes:
        backend: the loaded model; one thread at a time may use it.
        decoder: what its outputs mean.
        prepare: writes a frame into an input array; raises InputRejected when it does not fit.
        buffers: input arrays of the model's shape and type, one for each buffer of the slot.
        facts: what the worker says of the model: name, hash, runtime, delegate.
    """

    backend: Backend
    decoder: Decoder
    prepare: Callable[[Frame, Array], None]
    buffers: Sequence[Array]
    facts: Mapping[str, Any]
