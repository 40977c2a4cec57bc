"""Quantized outputs whose scales run along any dimension: read as the real numbers that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent import plugins
from agent.labels import Labels
from agent.tensors import dequantize
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
CASES: tuple[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...]], ...] = (
    ("classification", {"activation": "sigmoid"}, ((1, 16),)),
    ("classification", {"activation": "none"}, ((1, 16),)),
    ("keywords", {"activation": "sigmoid"}, ((1, 16),)),
    ("segmentation", {"grid": 4, "activation": "none"}, ((1, 8, 9, 3),)),
    ("segmentation", {"grid": 4, "output": "binary", "activation": "sigmoid"}, ((1, 8, 9),)),
    ("detection", {"head": "centers", "min_score": 0}, ((1, 8, 8, 6), (1, 8, 8, 4))),
    ("detection", {"head": "yolov8", "min_score": 0}, ((1, 10, 84),)),
    ("pose", {}, ((1, 1, 17, 3),)),
    ("embedding", {}, ((1, 16),)),
    ("image", {}, ((1, 8, 9, 3),)),
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("task", "options", "shapes"), CASES)
def test_scales_along_any_dimension_are_undone(
    task: str, options: dict[str, Any], shapes: tuple[tuple[int, ...], ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    module = plugins.load("decoders", task, "task")
    for along in range(1, len(shapes[0])):
        specs, raw = [], []
        for shape in shapes:
            scale = tuple((rng.random(shape[along]) / 256 + 1e-3).tolist())
            zero_point = (-128,) * len(scale)
            specs.append(TensorSpec("out", "int8", shape, scale, zero_point, along))
            raw.append(np.asarray(rng.integers(-128, 128, shape, np.int8)))
        real = [dequantize(one, spec) for one, spec in zip(raw, specs, strict=True)]
        floats = tuple(TensorSpec("out", "float32", shape) for shape in shapes)
        found = module.build(module.Options(**options), Signature((), tuple(specs)), Labels()).decode(
            raw, FRAME
        )
        wanted = module.build(module.Options(**options), Signature((), floats), Labels()).decode(real, FRAME)
        assert found == wanted


@pytest.mark.parametrize("task", ["classification", "keywords", "segmentation"])
def test_whether_such_an_output_holds_scores_is_told_by_its_type(task: str) -> None:
    shape = (1, 1, 1, 4) if task == "segmentation" else (1, 4)
    spec = TensorSpec("out", "int8", shape, (1 / 256,) * 3 + (1 / 512,), (-128,) * 4, len(shape) - 1)
    module = plugins.load("decoders", task, "task")
    decoder = module.build(module.Options(), Signature((), (spec,)), Labels())
    [*_, item] = decoder.decode([np.array([-128, -64, 0, -128], np.int8).reshape(shape)], FRAME).items[:1]
    assert (item["index"], item["score"]) == (2, 0.5)
