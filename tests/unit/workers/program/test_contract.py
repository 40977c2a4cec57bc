"""Whether a model is the one that its manifest describes, tensor by tensor."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.manifest import Tensor
from agent.types import TensorSpec
from agent.workers.program.contract import differs

SCALES = st.floats(1e-6, 100).map(lambda one: float(np.float32(one)))
SPECS = st.builds(
    TensorSpec,
    name=st.text(max_size=8),
    dtype=st.sampled_from(["int8", "uint8", "float32"]),
    shape=st.lists(st.integers(0, 300), max_size=4).map(tuple),
    scale=st.lists(SCALES, max_size=3).map(tuple),
    axis=st.integers(0, 3),
).map(lambda spec: replace(spec, zero_point=tuple(range(len(spec.scale)))))


def stated(spec: TensorSpec) -> Tensor:
    """Give the tensor as a manifest has it: written as JSON, and read again."""
    told = {name: getattr(spec, name) for name in ("name", "dtype", "shape", "scale", "zero_point", "axis")}
    return Tensor.model_validate_json(json.dumps(told))


@given(st.lists(SPECS, max_size=4))
def test_a_manifest_agrees_with_the_model_that_it_was_made_from(specs: list[TensorSpec]) -> None:
    assert differs("input", [stated(one) for one in specs], specs) == ""


@given(st.lists(SPECS, min_size=1, max_size=3), st.data())
def test_any_other_tensor_is_told_in_one_line(specs: list[TensorSpec], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(specs) - 1))
    one = specs[at]
    others = [
        replace(one, name=one.name + "x"),
        replace(one, dtype="int16"),
        replace(one, shape=(*one.shape, 1)),
        replace(one, scale=(*one.scale, 0.5), zero_point=(*one.zero_point, 0)),
    ]
    if one.scale:
        others.append(replace(one, scale=(one.scale[0] * 1.01, *one.scale[1:])))
        others.append(replace(one, zero_point=(one.zero_point[0] + 1, *one.zero_point[1:])))
    if len(one.scale) > 1:
        others.append(replace(one, axis=one.axis + 1))
    found = [*specs[:at], data.draw(st.sampled_from(others)), *specs[at + 1 :]]
    said = [stated(spec) for spec in specs]
    assert f"output {at}" in differs("output", said, found)
    assert len(differs("output", said, found).splitlines()) == 1
    assert differs("output", said, specs[:-1]).startswith(f"it has {len(specs) - 1} outputs")
