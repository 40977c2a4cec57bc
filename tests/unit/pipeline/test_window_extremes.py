"""Features of samples near the end of what their type holds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from agent.config.preparing import pre_of
from agent.errors import InputRejected
from agent.pipeline.preprocess import Preprocessor
from agent.types import Frame, TensorSpec


@pytest.mark.parametrize(
    ("features", "shape"), [({"kind": "micro_speech"}, (49, 40)), ({"kind": "statistics"}, (9, 1))]
)
def test_they_make_no_warning_and_nothing_that_is_not_finite(
    features: dict[str, Any], shape: tuple[int, ...]
) -> None:
    data = np.full((16000, 1), 3e38, np.float32)
    data[1::3] = -3e38
    told = {"features": features, "normalise": {"kind": "mean_std", "std": [1e-9]}}
    into = np.zeros((1, *shape), np.float32)
    with suppress(InputRejected):
        Preprocessor(TensorSpec("x", "float32", into.shape), pre_of(told))(Frame(0, 0, data), into)
        assert np.isfinite(into).all()
