"""Small real parts of an engine: a model that adds one, a decoder that reads it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.errors import BackendFault, InputRejected
from agent.pipeline.engine import Engine
from agent.pipeline.slot import BUFFERS
from agent.types import WHOLE, Result, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.pipeline.engine import Prepare
    from agent.types import Array, Backend, Box, Frame, FrameInfo

BAD = InputRejected("read picture", "b.jpg", "it is torn", "Copy it again")
FAULTY, UNDECODABLE, WRONG, LONG = 900, 901, 902, 903
"""Frames with this content make the model fail, the decoder fail, the model reject, the result grow long."""


class AddOne:
    """A backend."""

    inputs = outputs = (TensorSpec("x", "float32", (2,)),)
    runtime, delegate, delegated = "python", "cpu", (0, 1)

    def __init__(self, seconds: float, plus: int = 1) -> None:
        self.seconds = seconds
        self.plus = plus

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        if tensors[0][0] == FAULTY:
            raise BackendFault("run model", "m", "the delegate is gone")
        if tensors[0][0] == WRONG:
            raise InputRejected("run model", "m", "wrong shape")
        time.sleep(self.seconds)
        return (tensors[0] + self.plus,)

    def close(self) -> None: ...


class Watch(AddOne):
    """A clock that moves while the model runs, and only then."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        self.now += self.seconds
        return tensors


class Read:
    """A decoder."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.sizes = sizes

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        value = outputs[0][0]
        if value == UNDECODABLE + 1:
            raise InputRejected("decode", "x", "no such class")
        size = 60_000 if value == LONG + 1 else self.sizes.get(int(value) - 1, 0)
        return Result("sum", ({"value": np.float32(value), "of": frame.seq, "pad": "x" * size},))


def copy(frame: Frame, into: Sequence[Array], region: Box = WHOLE) -> None:
    np.copyto(into[0], frame.data)


def engine(
    backend: Backend | None = None,
    sizes: dict[int, int] | None = None,
    *,
    prepare: Prepare = copy,
    **facts: Any,
) -> Engine:
    """Make an engine of the parts above."""
    buffers = [(np.zeros(2, np.float32),) for _ in range(BUFFERS)]
    return Engine(backend or AddOne(0.0), Read(sizes or {}), prepare, buffers, facts)
