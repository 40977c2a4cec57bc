"""Forecast: which step, which feature, how far ahead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.decoders import forecast
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=1, width=1)
NONE = Labels()


def decode(values: Array, labels: Labels = NONE, **options: Any) -> list[Any]:
    spec = TensorSpec("out", "float32", values.shape)
    decoder = forecast.build(forecast.Options(**options), Signature((), (spec,)), labels)
    return list(decoder.decode([values.astype(np.float32)], FRAME).items)


def test_steps_count_from_one_and_features_follow_within_each() -> None:
    items = decode(np.arange(6).reshape(1, 3, 2), names=("load", "heat"))
    assert items[0] == {"label": "load", "index": 0, "step": 1, "value": 0.0}
    assert items[3] == {"label": "heat", "index": 1, "step": 2, "value": 3.0}
    assert [item["value"] for item in items] == [0, 1, 2, 3, 4, 5]
    assert [item["step"] for item in items] == [1, 1, 2, 2, 3, 3]


def test_one_quantity_needs_no_third_dimension() -> None:
    items = decode(np.array([[7.0, 8.0]]), step_s=0.1)
    assert items[1] == {"label": "value 0", "index": 0, "step": 2, "value": 8.0, "after_s": 0.2}


def test_each_feature_is_scaled_back_by_its_own_numbers() -> None:
    items = decode(np.ones((1, 2, 2)), Labels(("a", "b")), scale=(10, 100), offset=(1, 2))
    assert [item["value"] for item in items] == [11, 102, 11, 102]


def test_int8_is_dequantized_once() -> None:
    spec = TensorSpec("out", "int8", (1, 2), (0.5,), (4,))
    decoder = forecast.build(forecast.Options(), Signature((), (spec,)), Labels())
    items = decoder.decode([np.array([[4, 6]], np.int8)], FRAME).items
    assert [item["value"] for item in items] == [0.0, 1.0]


@pytest.mark.parametrize("shape", [(1, 0), (5,), (2, 5), (1, 2, 3, 4), (1, 513), (1, 32, 17)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    spec = TensorSpec("out", "float32", shape)
    with pytest.raises(ModelInvalid, match="the task wants one output"):
        forecast.build(forecast.Options(), Signature((), (spec,)), Labels())


def test_options_must_fit_the_number_of_features() -> None:
    values = np.zeros((1, 4, 2))
    with pytest.raises(ModelInvalid, match="there are 1 names for 2 features"):
        decode(values, names=("a",))
    with pytest.raises(ModelInvalid, match="there are 3 labels for 2 features"):
        decode(values, Labels(("a", "b", "c")))
    with pytest.raises(ModelInvalid, match="scale has 3 entries"):
        decode(values, scale=(1, 2, 3))


def test_the_largest_forecast_fits_into_one_message() -> None:
    values = np.full((1, 512), -1.234567e-38)
    assert len(json.dumps(decode(values, names=("n",), step_s=86400))) < 56 << 10
    with pytest.raises(ModelInvalid, match="more than one result holds"):
        decode(values, names=("n" * 100,))


def test_a_value_that_is_no_number_rejects_the_frame() -> None:
    with pytest.raises(InputRejected, match="NaN or infinite"):
        decode(np.array([[1.0, np.nan]]))
