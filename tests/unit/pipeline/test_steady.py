"""Outputs whose shape a graph changes from frame to frame fail the frame, and not the worker."""

from __future__ import annotations

import numpy as np
import pytest

from agent.decoders import regression
from agent.errors import InputRejected
from agent.labels import Labels
from agent.pipeline.steady import SteadyDecoder
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=1, width=1)
SPEC = TensorSpec("out", "float32", (1, 2))


def decoder() -> SteadyDecoder:
    built = regression.build(regression.Options(), Signature((), (SPEC,)), Labels())
    return SteadyDecoder(built, (SPEC,))


@pytest.mark.parametrize("shape", [(1, 2), (2,), (2, 1), (1, 1, 2)])
def test_dimensions_of_1_may_be_more_or_fewer(shape: tuple[int, ...]) -> None:
    found = decoder().decode([np.array([3, 4], np.float32).reshape(shape)], FRAME)
    assert [item["value"] for item in found.items] == [3, 4]


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (0,), (), (1, 0), (4, 1)])
def test_any_other_shape_fails_the_frame(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InputRejected, match=r"its shape is \[.*\] for this frame, and the model says \[1, 2\]"
    ):
        decoder().decode([np.zeros(shape, np.float32)], FRAME)
