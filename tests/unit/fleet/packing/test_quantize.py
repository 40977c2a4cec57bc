"""An int8 model from one of real numbers: where the extra is installed, with the real quantizer."""

from __future__ import annotations

import importlib.util
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent import resources
from agent.backends import tflite
from agent.errors import AgentError, ConfigInvalid, InputRejected, ModelInvalid
from agent.fleet.packing import words
from agent.fleet.packing.quantize import Options, quantize
from models.graph import Graph
from tests.simulators import tiny_models
from tests.simulators.environments import without

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

installed = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_quantizer") is None,
    reason="needs the extra quantize: pip install '.[quantize]'",
)
CLASSES = ("dark", "light")


def network() -> bytes:
    """Make a classifier of brightness, in real numbers; its second class is the light one."""
    rng = np.random.default_rng(3)
    net = Graph("light or dark")
    value = net.input("image", (1, 16, 16, 3), (0.0, 1.0))
    kernel = np.abs(rng.normal(0, 0.1, (8, 3, 3, 3))).astype(np.float32)
    value = net.conv("conv", value, kernel, np.zeros(8, np.float32), stride=2, relu=True)
    value = net.max_pool("strongest", value, 8)
    weights = np.stack([-np.ones(8), np.ones(8)]).astype(np.float32)
    value = net.dense("logits", value, weights, np.array([6, -6], np.float32))
    return net.write(net.softmax("probabilities", value), "float32")


def picture(rng: np.random.Generator, name: str) -> Array:
    low, high = (0, 60) if name == "dark" else (190, 255)
    return rng.integers(low, high, (20, 20, 3), np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "light.tflite").write_bytes(network())
    return tmp_path / "light.tflite"


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    """Ten pictures of each class, in folders of their names."""
    rng = np.random.default_rng(1)
    for name in CLASSES:
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            np.save(tmp_path / "pictures" / name / f"{number}.npy", picture(rng, name))
    return tmp_path / "pictures"


@installed
def test_a_model_becomes_int8_and_is_compared_with_what_it_was(model: Path, calibration: Path) -> None:
    steps: list[words.Step] = []
    made = quantize(Options(model, calibration), steps.append)
    assert made.path == model.with_name("light_int8.tflite")
    content = made.path.read_bytes()
    assert (made.size_before, made.size_after) == (len(model.read_bytes()), len(content))
    assert (made.calibrated, made.held_out) == (16, 4)
    assert made.result == words.Quantized(
        measure="top-1", agreement=1, scored=4, right_before=4, right_after=4, quantized=True
    )
    backend = tflite.build(tflite.Options(), content)
    assert backend.quantized
    assert backend.inputs[0].dtype == "int8"
    assert (steps[-1].done, steps[-1].of) == (20, 20)


@installed
def test_labels_say_which_class_a_folder_names(model: Path, calibration: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("light\ndark\n")  # the other way round: the model has all wrong
    made = quantize(Options(model, calibration, labels=tmp_path / "labels.txt"))
    assert (made.result.scored, made.result.right_before, made.result.right_after) == (4, 0, 0)
    (tmp_path / "labels.txt").write_text("light\nblack\n")
    with pytest.raises(ConfigInvalid, match=r"no class is called 'dark'\. Name folders as the labels do"):
        quantize(Options(model, calibration, tmp_path / "2.tflite", labels=tmp_path / "labels.txt"))
    assert not (tmp_path / "2.tflite").exists()


@installed
def test_outputs_that_are_no_classes_are_compared_as_numbers(tmp_path: Path) -> None:
    net = Graph("a filter")
    value = net.input("image", (1, 8, 8, 3), (0.0, 1.0))
    kernel = np.random.default_rng(2).normal(0, 0.2, (4, 3, 3, 3)).astype(np.float32)
    value = net.conv("conv", value, kernel, np.zeros(4, np.float32), stride=1, relu=True)
    (tmp_path / "m.tflite").write_bytes(net.write(value, "float32"))
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(1)
    for number in range(10):
        np.save(tmp_path / "in" / f"{number}.npy", rng.integers(0, 255, (8, 8, 3), np.uint8))
    result = quantize(Options(tmp_path / "m.tflite", tmp_path / "in")).result
    assert (result.measure, result.scored) == ("outputs", 0)
    assert 0.97 < result.agreement < 1


@installed
def test_an_input_that_is_unlike_the_others_counts_wherever_it_stands(tmp_path: Path) -> None:
    net = Graph("a filter")
    value = net.input("image", (1, 8, 8, 3), (0.0, 1.0))
    value = net.conv(
        "conv", value, np.full((1, 1, 1, 3), 0.5, np.float32), np.zeros(1, np.float32), stride=1, relu=True
    )
    (tmp_path / "m.tflite").write_bytes(net.write(value, "float32"))
    (tmp_path / "in").mkdir()
    for number in range(40):  # the first and the fifth are light; the fifth is held out
        np.save(
            tmp_path / "in" / f"{number}.npy", np.full((8, 8, 3), 250 if number in {0, 4} else 5, np.uint8)
        )
    assert quantize(Options(tmp_path / "m.tflite", tmp_path / "in")).result.agreement > 0.95


@installed
def test_what_cannot_be_quantized_is_refused_in_a_line(
    model: Path, calibration: Path, tmp_path: Path
) -> None:
    glyphs = resources.bundled_models()["glyphs"] / "glyphs.tflite"
    with pytest.raises(ModelInvalid, match="it is quantized already"):
        quantize(Options(glyphs, calibration, tmp_path / "out.tflite"))
    (tmp_path / "bare.tflite").write_bytes(tiny_models.echo("float32", (1, 20, 20, 3)))
    with pytest.raises(ModelInvalid, match="it has 0 signatures, and the quantizer wants one"):
        quantize(Options(tmp_path / "bare.tflite", calibration))
    (calibration / "dark" / "0.npy").write_bytes(b"torn")
    with pytest.raises(InputRejected, match=r"dark/0\.npy: it is no .npy file"):
        quantize(Options(model, calibration))


@installed
def test_nothing_is_written_over_and_a_folder_must_have_inputs(
    model: Path, calibration: Path, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputRejected, match="it has 0 inputs"):
        quantize(Options(model, tmp_path / "none"))
    with pytest.raises(InputRejected, match="it is no folder"):
        quantize(Options(model, tmp_path / "nowhere"))
    with pytest.raises(AgentError, match="it is there already"):
        quantize(Options(model, calibration, out=model))


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    python = without(tmp_path / "venv", "ai_edge_quantizer")
    command = [str(python), "-m", "agent.fleet.main", "quantize", "m.tflite", "--calibration", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "edgectl: quantize m.tflite: the package ai-edge-quantizer is missing."
        " Run: pip install 'edge-inference-agent[quantize]'\n"
    )
