"""Answers that are known: what may differ between two kernels passes, what is wrong does not."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import resources
from agent.backends import tflite
from agent.bundles.load import load
from agent.types import TensorSpec
from agent.workers.program.goldens import fixed_input, golden_cases, twin_case
from tests import runtimes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.types import Array

MODELS = sorted(resources.bundled_models())


def backend(name: str, **more: object) -> tflite.TfliteBackend:
    return tflite.build(runtimes.options(tflite.Options, **more), load(name).data, name)


@pytest.mark.parametrize("name", MODELS)
def test_a_bundles_golden_answers_are_met_by_each_kernel_and_by_no_other_input(name: str) -> None:
    for xnnpack in (True, False):
        one = backend(name, xnnpack=xnnpack)
        cases = golden_cases(load(name), one)
        assert 0 < len(cases) <= 8
        assert [case.differs(one.infer(case.tensors)) for case in cases] == [""] * len(cases)
        wrong = one.infer([np.zeros_like(cases[0].tensors[0])])
        assert any(case.differs(wrong) for case in cases)
        one.close()


def test_of_many_golden_inputs_eight_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "glyphs"
    shutil.copytree(resources.bundled_models()["glyphs"], folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "golden": manifest["golden"] * 3}))
    one = backend("glyphs")
    assert len(golden_cases(load(folder), one)) == 8
    one.close()


def test_a_bare_model_has_no_golden_answers() -> None:
    one = backend("glyphs")
    assert golden_cases(load(resources.bundled_models()["glyphs"] / "glyphs.tflite"), one) == []
    one.close()


@pytest.mark.parametrize("name", MODELS)
def test_what_two_kernels_make_of_an_input_passes_and_what_is_wrong_does_not(name: str) -> None:
    one, other = backend(name, xnnpack=True), backend(name, xnnpack=False)
    case = twin_case(one)
    assert case is not None
    right = other.infer(case.tensors)
    assert case.differs(right) == ""
    assert case.differs([_turned(output) for output in right])
    assert case.differs([output[..., :-1] for output in right])
    one.close()
    other.close()


class Unsteady:
    """A model whose output says nothing: it turns over with the least change."""

    inputs = outputs = (TensorSpec("x", "float32", (4,)),)
    runtime, delegate, delegated = "python", "cpu", (0, 1)

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        value = float(tensors[0].sum() * 1e4 % 2)
        return (np.array([value, -value, 1, 0], np.float32),)

    def close(self) -> None: ...


def test_an_output_that_turns_over_with_the_least_change_is_not_judged() -> None:
    assert twin_case(Unsteady()) is None


@given(
    st.sampled_from(["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "bool"]),
    st.lists(st.integers(0, 6), max_size=4).map(tuple),
)
def test_the_fixed_input_is_the_same_each_time_and_of_the_models_type(
    dtype: str, shape: tuple[int, ...]
) -> None:
    spec = TensorSpec("x", dtype, shape)
    first, second = fixed_input(spec), fixed_input(spec)
    assert np.array_equal(first, second)
    assert (first.dtype, first.shape) == (np.dtype(dtype), shape)
    assert np.isfinite(first.astype(float)).all()


def test_each_number_has_an_input_of_its_own() -> None:
    spec = TensorSpec("image", "uint8", (1, 64, 64, 3))
    assert len(np.unique(fixed_input(spec))) == 256
    assert not np.array_equal(fixed_input(spec), fixed_input(spec, 1))


def _turned(output: Array) -> Array:
    """Give the same numbers in another order, or others where they are all the same."""
    turned: Array = output.reshape(-1)[::-1].reshape(output.shape).copy()
    return turned if (turned != output).any() else output + output.dtype.type(50)
