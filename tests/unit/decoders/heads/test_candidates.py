"""What scores enough: found in stored numbers, it is what the real numbers would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.decoders._output import Output
from agent.decoders.heads import candidates
from agent.decoders.heads.candidates import Candidates, best_first, find_rows, logit, places, sigmoid
from agent.errors import InputRejected
from agent.tensors import dequantize
from agent.types import TensorSpec

if TYPE_CHECKING:
    from agent.decoders.heads.candidates import Activation
    from agent.types import Array

ROWS, CLASSES = 7, 4
SCALES = st.sampled_from([1 / 256, 0.01, 0.1, 1.0])
STORED = {"int8": st.integers(-128, 127), "uint8": st.integers(0, 255), "int16": st.integers(-500, 500)}


def activated(real: Array, activation: Activation) -> Array:
    real = real.astype(np.float64)
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-real))
    if activation == "softmax":
        powers = np.exp(real - real.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
    return real


@given(
    st.tuples(st.sampled_from(sorted(STORED)), SCALES, st.integers(-20, 20)),
    st.floats(0, 1),
    st.sampled_from(["none", "sigmoid", "softmax"]),
    st.integers(0, 1),
    st.data(),
)
def test_stored_numbers_are_found_as_the_real_ones_would_be(
    stored: tuple[str, float, int], least: float, activation: Any, first: int, data: st.DataObject
) -> None:
    dtype, scale, zero = stored
    zero_point = min(max(zero, np.iinfo(dtype).min), np.iinfo(dtype).max)
    spec = TensorSpec("s", dtype, (ROWS, CLASSES), (scale,), (zero_point,))
    part = data.draw(hnp.arrays(dtype, spec.shape, elements=STORED[dtype]))
    scores = activated(dequantize(part, spec), activation)[:, first:]
    found = find_rows(Output([spec], 0), part, least, activation, first=first)
    pairs = {*zip(found.rows.tolist(), found.classes.tolist(), strict=True)}
    assert len(pairs) == len(found.rows)
    assert found.scores == pytest.approx(scores[found.rows, found.classes], abs=1e-6)
    assert pairs >= {*zip(*(at.tolist() for at in np.nonzero(scores >= least)), strict=True)}
    assert pairs <= {*zip(*(at.tolist() for at in np.nonzero(scores >= least - 4e-6)), strict=True)}


@given(hnp.arrays(np.float32, (ROWS, CLASSES), elements=st.floats(width=32)), st.floats(0, 1))
@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
def test_no_floats_at_all_bring_out_a_score_that_is_not_finite(
    activation: Any, part: Array, least: float
) -> None:
    try:
        found = find_rows(Output([TensorSpec("s", "float32", part.shape)], 0), part, least, activation)
    except InputRejected:
        assert not np.isfinite(part).any()
    else:
        assert np.isfinite(found.scores).all()


def test_scales_that_run_along_the_classes_are_undone_once() -> None:
    spec = TensorSpec("s", "uint8", (1, 2, 2), (0.1, 0.01), (0, 100), 2)
    output = Output([spec], 0)
    part = output.stored([np.array([[[5, 150], [2, 190]]], np.uint8)])[0]
    found = find_rows(output, part, 0.5)
    assert (found.rows.tolist(), found.classes.tolist()) == ([0, 0, 1], [0, 1, 1])
    assert found.scores.tolist() == pytest.approx([0.5, 0.5, 0.9])
    assert Output([spec], 0).reach() == pytest.approx(25.5)


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_marks_are_found_in_folds_as_without(marked: Array) -> None:
    for width in marked.shape:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(candidates, "_MANY", 0)
            assert places(marked, width).tolist() == np.flatnonzero(marked).tolist()


def test_of_equal_scores_the_first_go_on() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.7, 0.5], np.float32)
    assert best_first(scores, 10).tolist() == [1, 3, 0, 2, 4]
    assert best_first(scores, 3).tolist() == [1, 3, 0]
    assert best_first(scores, 1).tolist() == [1]


def test_of_each_row_its_best_class_stays_and_of_equal_ones_the_first() -> None:
    found = Candidates(
        np.array([0, 0, 3, 3, 5]), np.array([1, 2, 0, 1, 4]), np.array([0.5, 0.75, 0.625, 0.625, 0.875])
    )
    best = found.best()
    assert [*zip(*(part.tolist() for part in best), strict=True)] == [
        (5, 4, 0.875),
        (0, 2, 0.75),
        (3, 0, 0.625),
    ]
    assert [part.tolist() for part in found.best(1)] == [[5], [4], [0.875]]


@given(st.floats(0.001, 0.999))
def test_a_logit_is_what_gives_the_score(score: float) -> None:
    assert float(sigmoid(np.array([logit(score)]))[0]) == pytest.approx(score, abs=2e-6)


def test_there_is_no_logit_of_all_and_of_nothing() -> None:
    assert (logit(0), logit(-1e-6), logit(1)) == (-np.inf, -np.inf, np.inf)
