"""What every decoder must keep to, whatever a model gives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from agent import plugins
from agent.errors import InputRejected, ModelInvalid
from agent.imaging import masks
from agent.labels import Labels
from agent.tensors import dequantize, quantize
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from types import ModuleType

    from agent.types import Array, Decoder, Result

# Outputs that fit each decoder, in numbers of [0, 1] where it has scores: a new decoder adds its own here.
# The first word is the decoder's name; one that reads several kinds of outputs has an example of each.
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "anomaly": [(1, 4, 2)],
    "classification": [(1, 6)],
    "detection": [(1, 5, 4), (1, 5), (1, 5), (1,)],
    "detection of centers": [(1, 4, 5, 6), (1, 4, 5, 4)],
    "detection of ssd_raw": [(1, 33, 4), (1, 33, 6)],
    "detection of yolov5": [(1, 9, 11)],
    "detection of yolov8": [(1, 10, 3)],
    "detection of yolov10": [(1, 20, 6)],
    "embedding": [(1, 6)],
    "forecast": [(1, 4, 2)],
    "forecast of one": [(1, 12)],
    "image": [(1, 4, 5, 3)],
    "keywords": [(1, 6)],
    "pose": [(1, 1, 6, 3)],
    "pose of several": [(1, 4, 23)],
    "pose of heatmaps": [(1, 3, 4, 6), (1, 3, 4, 12)],
    "regression": [(1, 6)],
    "regression of several outputs": [(1, 2), (), (3, 1)],
    "segmentation": [(1, 4, 5, 6)],
    "segmentation of one class": [(1, 4, 5)],
    "sequence": [(1, 5), (1, 5), (1,)],
    "tensor": [(1, 3), (2, 2, 2), ()],
}
# The input, for decoders that compare the outputs with it, and options that have no default.
INPUTS: dict[str, list[tuple[int, ...]]] = {
    "anomaly": [(1, 4, 2)],
    "detection of ssd_raw": [(1, 8, 8, 3)],
    "detection of yolov5": [(1, 8, 8, 3)],
    "detection of yolov8": [(1, 8, 8, 3)],
    "pose of heatmaps": [(1, 33, 49, 3)],
}
REQUIRED: dict[str, dict[str, Any]] = {
    "anomaly": {"threshold": 0.05},
    "detection of ssd_raw": {"background": False},
    "detection of yolov10": {"head": "yolov10"},
}
# What the model itself takes and gives, where the decoder is given what several runs of it have made: tensors
# of fixed types, none of them quantized.
MODELS: dict[str, Signature] = {
    "sequence": Signature(
        (TensorSpec("ids", "int32", (1, 8)),), (TensorSpec("logits", "float32", (1, 8, 6)),)
    )
}
STORED = [name for name in SHAPES if name not in MODELS]
# Options without which an example does not fit the six labels.
CHOSEN: dict[str, dict[str, Any]] = {
    "forecast": {"names": ("load", "heat")},
    "forecast of one": {"names": ("load",), "step_s": 60.0},
}
PARAMETERS = {"float32": (), "uint8": (1 / 256, 0), "int8": (1 / 256, -128), "int16": (1 / 32768, 0)}
NAMES = plugins.names("decoders")
FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
LABELS = Labels(tuple("abcdef"))
# Where there are other than six classes.
NAMED = {"segmentation of one class": Labels(("background", "road"))}


def specs(
    name: str, dtype: str = "float32", shapes: dict[str, list[tuple[int, ...]]] = SHAPES
) -> tuple[TensorSpec, ...]:
    scale, zero_point = PARAMETERS[dtype] or (0.0, 0)
    quantization: dict[str, Any] = {"scale": (scale,), "zero_point": (zero_point,)} if scale else {}
    return tuple(
        TensorSpec(f"out:{at}", dtype, shape, **quantization) for at, shape in enumerate(shapes.get(name, ()))
    )


def build(name: str, outputs: tuple[TensorSpec, ...], **options: Any) -> Decoder:
    module = plugins.load("decoders", name.split(maxsplit=1)[0])
    given = specs(name, outputs[0].dtype, INPUTS)
    options = {**REQUIRED.get(name, {}), **CHOSEN.get(name, {}), **options}
    signature = MODELS.get(name, Signature(given, outputs))
    labels = NAMED.get(name, LABELS)
    decoder: Decoder = module.build(module.Options(**options), signature, labels)
    return decoder


def required(module: ModuleType) -> dict[str, Any]:
    """Give the options that the module does not do without."""
    return REQUIRED.get(module.__name__.rpartition(".")[2], {})


def check(result: Result) -> None:
    """Check what holds for each result: JSON without NaN, scores and boxes within [0, 1]."""
    assert result.kind in NAMES
    text = json.dumps(result.items, allow_nan=False)
    assert len(text) < 50_000  # one message between processes takes 64 KiB
    for item in result.items:
        if "score" in item:
            assert type(item["score"]) is float
            assert 0 <= item["score"] <= 1
            assert isinstance(item["label"] if "label" in item else item["text"], str)
            assert type(item.get("index", 0)) is int
        points = (place for one in item.get("keypoints", ()) for place in one["point"])
        for coordinate in (*item.get("box", ()), *points):
            assert 0 <= coordinate <= 1
        if "mask" in item:
            assert masks.decode(item["mask"]).any()


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("decoders", request.param)


def test_every_decoder_has_its_example_here() -> None:
    assert {name.split()[0] for name in SHAPES} == set(NAMES)


def test_options_have_defaults_and_refuse_what_they_do_not_know(module: ModuleType) -> None:
    needed = {key for key, field in module.Options.model_fields.items() if field.is_required()}
    assert needed == required(module).keys()
    options = module.Options(**required(module))
    with pytest.raises(ValidationError, match="extra_forbidden"):
        module.Options(**required(module), no_such_option=1)
    with pytest.raises(ValidationError):
        options.__setattr__(next(iter(type(options).model_fields)), 1)
    assert all(field.description for field in module.Options.model_fields.values())


@pytest.mark.parametrize("outputs", [(), (TensorSpec("text", "bytes", (1, 2)),)])
def test_outputs_that_do_not_fit_are_refused_with_a_way_out(
    module: ModuleType, outputs: tuple[TensorSpec, ...]
) -> None:
    with pytest.raises(ModelInvalid) as caught:
        module.build(module.Options(**required(module)), Signature((), outputs), LABELS)
    assert "\n" not in str(caught.value)
    assert "--task tensor" in caught.value.hint


FLOATS = st.floats(width=32) | st.sampled_from([0.0, 0.5, 1.0, float("nan"), float("inf"), -float("inf")])


@pytest.mark.parametrize("name", SHAPES)
@given(data=st.data())
def test_no_floats_at_all_bring_out_nan_or_scores_beyond_0_and_1(name: str, data: st.DataObject) -> None:
    outputs = specs(name)
    arrays = [data.draw(hnp.arrays(np.float32, spec.shape, elements=FLOATS)) for spec in outputs]
    given = [
        data.draw(hnp.arrays(np.float32, spec.shape, elements=FLOATS)) for spec in specs(name, shapes=INPUTS)
    ]
    options = {"min_score": 0.0} if name in {"classification", "detection"} else {}
    try:
        result = build(name, outputs, **options).decode(arrays, FRAME, given)
    except InputRejected:  # a failed frame; never an answer made from garbage
        garbage = any(not np.isfinite(array).all() for array in (*arrays, *given))
        assert garbage
    else:
        check(result)


@pytest.mark.parametrize("name", STORED)
@given(dtype=st.sampled_from(["uint8", "int8", "int16"]), data=st.binary(min_size=64, max_size=64))
def test_no_integers_at_all_bring_out_scores_beyond_0_and_1(name: str, dtype: str, data: bytes) -> None:
    outputs = specs(name, dtype)
    arrays = [np.resize(np.frombuffer(data, dtype), spec.shape) for spec in outputs]
    given = [np.resize(np.frombuffer(data[::-1], dtype), spec.shape) for spec in specs(name, dtype, INPUTS)]
    check(build(name, outputs).decode(arrays, FRAME, given))


def inputs(name: str) -> list[Array]:
    """Give plain inputs in [0, 1] to compare the outputs with."""
    return [np.linspace(0, 1, int(np.prod(shape))).reshape(shape) for shape in INPUTS.get(name, ())]


def numbers(name: str) -> list[Array]:
    """Give plain outputs in [0, 1], with room between the scores."""
    rng = np.random.default_rng(3)
    arrays = [
        rng.permutation(np.linspace(0.05, 0.95, int(np.prod(s, dtype=int)))).reshape(s) for s in SHAPES[name]
    ]
    if name == "detection":
        arrays[0] = np.array([[[0.1, 0.2, 0.6, 0.7]] * 5])
        arrays[1] = np.zeros((1, 5))
        arrays[3] = np.array([0.99])
    return arrays


@pytest.mark.parametrize("name", SHAPES)
def test_a_decoder_is_pure(name: str) -> None:
    decoder = build(name, specs(name))
    arrays = [np.asarray(array, np.float32) for array in numbers(name)]
    given = [np.asarray(array, np.float32) for array in inputs(name)]
    for array in (*arrays, *given):
        array.flags.writeable = False
    first = decoder.decode(arrays, FRAME, given)
    assert first == decoder.decode(arrays, FRAME, given)
    assert first == build(name, specs(name)).decode(arrays, FRAME, given)
    assert first.items


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16"])
def test_every_type_gives_the_answer_of_floats_within_a_step(name: str, dtype: str) -> None:
    outputs, plain = specs(name, dtype), specs(name)
    stored = [quantize(array, spec) for array, spec in zip(numbers(name), outputs, strict=True)]
    exact = [dequantize(array, spec) for array, spec in zip(stored, outputs, strict=True)]
    given = specs(name, dtype, INPUTS)
    stored_in = [quantize(array, spec) for array, spec in zip(inputs(name), given, strict=True)]
    exact_in = [dequantize(array, spec) for array, spec in zip(stored_in, given, strict=True)]
    found = build(name, outputs).decode(stored, FRAME, stored_in)
    wanted = build(name, plain).decode(exact, FRAME, exact_in)
    floats, floats_in = ([np.asarray(a, np.float32) for a in some(name)] for some in (numbers, inputs))
    near = build(name, plain).decode(floats, FRAME, floats_in)
    assert [{**item, "dtype": ""} for item in found.items] == [{**item, "dtype": ""} for item in wanted.items]
    step = outputs[0].scale[0]
    for one, two in zip(found.items, near.items, strict=True):
        assert one.get("index") == two.get("index")
        for key in ("score", "error", "min", "max", "mean", "value", "box", "vector", "share", "distance"):
            assert one.get(key, 0) == pytest.approx(two.get(key, 0), abs=step)
        for point, other in zip(one.get("keypoints", ()), two.get("keypoints", ()), strict=True):
            assert point["point"] == pytest.approx(other["point"], abs=step)
            assert point["score"] == pytest.approx(other["score"], abs=step)
