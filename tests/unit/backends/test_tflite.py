"""The TFLite backend: what it tells of a model, and what it says when one does not load."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.backends import _load_errors, _quiet, tflite
from agent.backends._delegated import count_delegated
from agent.backends._integers import computes_in_integers
from agent.bundles.load import load
from agent.errors import BackendFault, InputRejected, ModelInvalid
from agent.tensors import dequantize, quantize
from agent.types import TensorSpec
from tests import runtimes
from tests.simulators import tiny_models
from tests.simulators.tiny_models import Tensor

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import OpDetails, TensorDetails


def build(model: bytes, **options: Any) -> tflite.TfliteBackend:
    return tflite.build(runtimes.options(tflite.Options, **options), model, "tiny.tflite")


def refusal(model: bytes) -> ModelInvalid:
    with pytest.raises(ModelInvalid) as caught:
        build(model)
    assert "\n" not in str(caught.value)
    assert caught.value.subject == "tiny.tflite"
    assert caught.value.hint
    return caught.value


def test_the_specs_are_those_of_the_model_file() -> None:
    backend = build(tiny_models.echo("int8", (1, 2, 3, 4)))
    scale = float(np.float32(1 / 255))
    assert backend.inputs == (TensorSpec("picture", "int8", (1, 2, 3, 4), (scale,), (-128,)),)
    assert backend.outputs == (TensorSpec("values", "int8", (1, 24), (scale,), (-128,)),)
    assert build(tiny_models.absolute()).inputs == (TensorSpec("x", "float32", (1,)),)


def test_the_runtime_is_named_with_its_version() -> None:
    name, version = build(tiny_models.absolute()).runtime.split(" ")
    assert name in ("ai-edge-litert", "tflite-runtime")
    assert version[0].isdigit()


def test_what_the_delegate_has_taken_is_counted_and_not_assumed() -> None:
    taken = build(tiny_models.absolute())
    assert (taken.delegate, taken.delegated) == ("xnnpack", (1, 1))
    asked_not_to = build(tiny_models.absolute(), xnnpack=False)
    assert (asked_not_to.delegate, asked_not_to.delegated) == ("cpu", (0, 1))
    unfit = build(tiny_models.gather())  # XNNPACK has no kernel for it
    assert (unfit.delegate, unfit.delegated) == ("cpu", (0, 1))


def test_the_delegate_is_what_this_runtime_really_gives_a_quantized_graph_to() -> None:
    glyphs = load("glyphs").data
    taken = build(glyphs)
    # tflite-runtime does not hand quantized operators to XNNPACK by default.
    assert (taken.delegate, taken.delegated) == (("cpu", (0, 7)) if runtimes.SECOND else ("xnnpack", (6, 7)))


def test_an_operator_that_is_newer_than_tflite_runtime_is_refused_there() -> None:
    inputs = [Tensor(name, "int32", (1,)) for name in ("value", "places")]
    model = tiny_models.build(inputs, [Tensor("shifted", "int32", (1,))], "STABLEHLO_SHIFT_LEFT")
    if runtimes.SECOND:
        error = refusal(model)
        assert error.problem == "it needs the operator number 207, which is newer than this runtime"
        assert "Update the runtime" in error.hint
    else:
        arrays = [np.array([number], np.int32) for number in (5, 3)]
        assert build(model).infer(arrays)[0].tolist() == [40]


def test_more_threads_give_the_same_answer() -> None:
    glyphs = load("glyphs").data
    shape = build(glyphs).inputs[0].shape
    picture = np.random.default_rng(7).integers(0, 256, shape).astype(build(glyphs).inputs[0].dtype)
    one, four = (build(glyphs, threads=threads).infer([picture])[0] for threads in (1, 4))
    assert np.array_equal(one, four)


def ops(*rows: tuple[str, list[int], list[int]]) -> list[OpDetails]:
    return [
        {"index": at, "op_name": name, "inputs": np.array(ins), "outputs": np.array(outs)}
        for at, (name, ins, outs) in enumerate(rows)
    ]


def details(**types: str) -> list[TensorDetails]:
    """Describe tensors by their types, in the order of their indices."""
    return [{"index": at, "dtype": np.dtype(kind).type} for at, kind in enumerate(types.values())]  # type: ignore[typeddict-item]


FLOAT, INT = {"x": "float32", "w": "float32", "y": "float32"}, {"x": "int8", "w": "int8", "y": "int8"}


@pytest.mark.parametrize(
    ("line", "types", "integers"),
    [
        ([("CONV_2D", [0, 1], [2])], INT, True),
        ([("CONV_2D", [0, 1], [2])], {**INT, "x": "int16"}, True),
        ([("CONV_2D", [0, 1], [2])], FLOAT, False),
        ([("CONV_2D", [0, 1], [2])], {**FLOAT, "w": "int8"}, False),  # dynamic range
        ([("QUANTIZE", [0], [1]), ("FULLY_CONNECTED", [1, 2, -1], [1])], {**INT, "x": "float32"}, True),
        ([("FULLY_CONNECTED", [0, 1], [2]), ("SOFTMAX", [3], [3])], {**INT, "p": "float32"}, True),
        ([("RESHAPE", [0], [2])], INT, True),
        ([("RESHAPE", [0], [2])], FLOAT, False),
        ([("CONV_2D", [0, 1], [2]), ("DELEGATE", [3], [3])], {**INT, "p": "float32"}, True),
        ([("DEQUANTIZE", [0], [2])], INT, False),
    ],
)
def test_a_model_computes_in_integers_when_what_multiplies_takes_no_real_numbers(
    line: list[Any], types: dict[str, str], *, integers: bool
) -> None:
    assert computes_in_integers(ops(*line), details(**types)) == integers


def test_a_backend_says_whether_its_model_computes_in_integers() -> None:
    glyphs = load("glyphs")
    assert build(glyphs.data).quantized
    assert not build(tiny_models.absolute()).quantized
    backend = build(tiny_models.absolute())
    backend.close()
    with pytest.raises(RuntimeError):
        _ = backend.quantized


def test_operators_between_a_delegates_inputs_and_outputs_are_the_delegated_ones() -> None:
    line = [("A", [0], [1]), ("B", [1], [2]), ("C", [2], [3]), ("D", [2, 3], [4])]
    assert count_delegated(ops(*line)) == (0, 4)
    assert count_delegated(ops(*line, ("DELEGATE", [1], [3]))) == (2, 4)
    assert count_delegated(ops(*line, ("DELEGATE", [0], [1]), ("DELEGATE", [2, 3], [4]))) == (2, 4)
    assert count_delegated(ops(*line, ("DELEGATE", [0], [4]))) == (4, 4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_our_quantization_is_the_runtimes(dtype: str) -> None:
    scale, zero_point = tiny_models.PARAMETERS[dtype]
    values = np.linspace(-0.5, 1.5, 1000).astype(np.float32)
    real = Tensor("real", "float32", (1, 1000))
    stored = Tensor("stored", dtype, (1, 1000), scale, zero_point)
    quantizer = build(tiny_models.convert(real, stored), xnnpack=False)
    theirs = quantizer.infer([values[np.newaxis]])[0]
    ours = quantize(values[np.newaxis], quantizer.outputs[0])
    # They divide in float32: a value that lies on the edge of two steps may fall on either side.
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.01
    dequantizer = build(tiny_models.convert(stored, real), xnnpack=False)
    back = dequantizer.infer([ours])[0]
    assert np.allclose(dequantize(ours, quantizer.outputs[0]), back, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("model", "problem", "hint"),
    [
        (tiny_models.custom("edgetpu-custom-op"), "compiled for the Edge TPU", "without _edgetpu"),
        (tiny_models.custom("MyOp"), "custom operator MyOp", "built-in operators"),
        (tiny_models.absolute()[:200], "damaged", "Copy it again"),
        (b"hello" * 20, "not a TFLite model", "Copy it again"),
        (b"", "not a TFLite model", "Copy it again"),
    ],
)
def test_a_model_that_does_not_load_is_refused_with_the_next_thing_to_do(
    model: bytes, problem: str, hint: str
) -> None:
    error = refusal(model)
    assert problem in error.problem
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "quantized_dimension must be in range [0, 1). Was 3.Tensor 6 has invalid quantization parameters."
            * 2,
            "2 of its tensors have a quantized_dimension that this runtime refuses",
        ),
        (
            "Didn't find op for builtin opcode 'CONV_2D' version '99'. An older version may be supported.",
            "it needs version 99 of the operator CONV_2D, which is newer than this runtime",
        ),
        (
            "tensor is too big\nNode number 7 (PAD) failed to prepare.",
            "tensor is too big in operator 7 (PAD)",
        ),
        ("", "no reason given"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_what_the_runtime_says_is_put_in_one_line(text: str, problem: str) -> None:
    error = _load_errors.explain(ValueError(text), "m")
    assert error.problem == problem
    assert error.hint


def test_a_failed_inference_is_a_fault_of_the_backend_and_the_next_one_may_work() -> None:
    backend = build(tiny_models.gather())
    with pytest.raises(
        BackendFault, match=r"tiny\.tflite: gather index out of bounds in operator 0 \(GATHER\)"
    ):
        backend.infer([np.array([99], np.int32)])
    assert backend.infer([np.array([2], np.int32)])[0].tolist() == [2]


def test_a_model_of_two_inputs_takes_them_in_order() -> None:
    backend = build(tiny_models.add())
    assert [spec.name for spec in backend.inputs] == ["left", "right"]
    assert backend.infer([np.full((1, 2), value, np.float32) for value in (1, 20)])[0].tolist() == [[21, 21]]
    with pytest.raises(InputRejected, match="it takes 2 tensors, and got 1"):
        backend.infer([np.zeros((1, 2), np.float32)])


def test_a_model_loads_without_chatter_and_what_else_is_said_comes_through() -> None:
    program = f"""
import os, sys
from agent.backends import _quiet, tflite
tflite.build(tflite.Options(runtime={runtimes.CHOSEN!r}), _quiet.ABSOLUTE)
with _quiet.quiet():
    os.write(2, b"WARNING: hot\\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n")
    print("a word of Python", file=sys.stderr)
os.write(2, b"still here")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "WARNING: hot\na word of Python\nstill here"


def test_nothing_is_said_besides_the_error_where_the_first_model_fails() -> None:
    program = """
import os, sys
from agent.backends import _quiet
try:
    with _quiet.quiet():
        os.write(2, b"a page")
        print("another page", file=sys.stderr)
        raise SystemError
except SystemError:
    os.write(2, b"still here")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "still here"


def test_the_model_that_takes_the_chatter_is_the_one_that_the_test_makes() -> None:
    assert tiny_models.absolute() == _quiet.ABSOLUTE


def test_importing_the_backend_loads_no_runtime() -> None:
    program = (
        "import sys, agent.backends.tflite; print({'ai_edge_litert', 'tflite_runtime'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


@pytest.mark.parametrize(("axis", "count"), [(1, 3), (0, 2), (2, 2), (-1, 2)])
def test_scales_that_are_not_as_many_as_their_dimension_are_refused(axis: int, count: int) -> None:
    quantization = {
        "scales": np.ones(count, np.float32),
        "zero_points": np.zeros(count, np.int32),
        "quantized_dimension": axis,
    }
    details: Any = {
        "name": "y",
        "index": 0,
        "shape": np.array([1, 2]),
        "dtype": np.int8,
        "quantization_parameters": quantization,
    }
    with pytest.raises(ModelInvalid, match="unusable quantization parameters"):
        tflite._spec(details, "m", {})
    details["quantization_parameters"] = {**quantization, "quantized_dimension": 1}
    if count == 2:
        assert tflite._spec(details, "m", {}).axis == 1
