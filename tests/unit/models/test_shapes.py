"""The bundled shape detector, as it was committed."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent import golden, manifest
from agent.bundles.load import read_manifest
from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.tensors import dequantize
from models import shapes
from models.line import Line
from models.metrics import mean_average_precision
from models.runner import Runner
from models.shapes import data, evaluate
from models.variants import with_borders

if TYPE_CHECKING:
    from models.quantize import Precision

FOLDER = Path(shapes.__file__).parent
FIRST = FOLDER / "first"
MANIFEST = manifest.parse((FOLDER / "manifest.json").read_bytes())
STEP = 1 / 256


def content(path: str) -> bytes:
    return (FOLDER / path).read_bytes()


def test_every_file_is_the_one_that_the_manifest_names() -> None:
    assert len(content(MANIFEST.model)) < 300_000
    named = {one.path: one.sha256 for one in MANIFEST.files}
    assert {path: hashlib.sha256(content(path)).hexdigest() for path in named} == named
    assert {path.name for path in (FOLDER / "golden").iterdir()} == {Path(p).name for p in named if "/" in p}


def test_its_labels_are_the_shapes_in_the_order_of_its_classes() -> None:
    assert content("labels.txt").decode().splitlines() == list(SHAPE_LABELS)


def test_its_heads_are_two_quantized_grids() -> None:
    scores, boxes = Line.of(FOLDER).signature.outputs
    assert (scores.name, scores.dtype, scores.shape) == ("scores", "int8", (1, 24, 32, 5))
    assert (scores.scale, scores.zero_point) == ((STEP,), (-128,))
    assert (boxes.name, boxes.dtype, boxes.shape) == ("boxes", "int8", (1, 24, 32, 4))
    assert len(boxes.scale) == 1


@pytest.mark.parametrize("folder", [FOLDER, FIRST])
def test_it_reproduces_its_golden_answers(folder: Path) -> None:
    found = read_manifest(folder)
    assert len(found.golden) >= 4
    line = Line.of(folder)
    for one in found.golden:
        picture = np.load(folder / one.input)
        assert (picture.dtype.name, picture.shape) == ("uint8", (data.HEIGHT, data.WIDTH, 3))
        items = line.items(np.ascontiguousarray(picture[..., ::-1]))
        assert golden.differs(items, one.expect, one.tol) == ""
        assert len(items) == len(one.expect)


@pytest.mark.parametrize("name", data.CONDITIONS)
def test_it_finds_shapes_in_scenes_that_it_has_never_seen(name: str) -> None:
    """Fresh seeds, other than those that the training script measures on."""
    line = Line.of(FOLDER, options=evaluate.EVERYTHING)
    pictures = evaluate.pictures(line, name, 120, data.HELD_OUT + 77)
    assert mean_average_precision(pictures) >= evaluate.TARGET


def test_its_golden_answers_name_each_shape() -> None:
    assert {item["label"] for one in MANIFEST.golden for item in one.expect} == set(SHAPE_LABELS)


def test_it_is_better_than_the_version_before() -> None:
    lines = [Line.of(folder, options=evaluate.EVERYTHING) for folder in (FIRST, FOLDER)]
    name = next(iter(data.CONDITIONS))
    before, now = (
        mean_average_precision(evaluate.pictures(line, name, 60, data.HELD_OUT + 78)) for line in lines
    )
    assert 0.7 < before < now - 0.04


def test_all_of_it_is_int8() -> None:
    runner = Runner(content(MANIFEST.model), observe=True)
    kinds = {np.dtype(one["dtype"]).name for one in runner.tensors()}
    assert kinds == {"int8", "int32"}  # biases are int32, and sizes to resize to


def test_int8_uint8_and_float_variants_agree_within_one_step() -> None:
    """Raw outputs and items, from the agent's preprocessing to its decoder."""
    kinds: tuple[Precision, ...] = ("int8", "uint8", "float32")
    lines = [Line.of(FOLDER, with_borders(content(MANIFEST.model), kind)) for kind in kinds]
    for line, kind in zip(lines, kinds, strict=True):
        assert {spec.dtype for spec in (*line.signature.inputs, *line.signature.outputs)} == {kind}
    for frame, _ in islice(data.held_out(data.USUAL, data.HELD_OUT + 78), 40):
        plain, *others = lines
        raw, items = plain.outputs(frame), plain.items(frame)
        assert items
        for other in others:
            for at, spec in enumerate(plain.signature.outputs):
                mine = dequantize(raw[at], spec)
                theirs = dequantize(other.outputs(frame)[at], other.signature.outputs[at])
                np.testing.assert_allclose(theirs, mine, atol=spec.scale[0] * 1.0001)
            cells = plain.signature.outputs[1].scale[0] / 24
            found = other.items(frame)
            assert [one["label"] for one in found] == [one["label"] for one in items]
            for one, wanted in zip(found, items, strict=True):
                assert one["score"] == pytest.approx(wanted["score"], abs=STEP)
                assert one["box"] == pytest.approx(wanted["box"], abs=cells * 1.0001)


def test_the_card_states_the_licence_and_the_limits() -> None:
    card = content("README.md").decode()
    for word in ("Apache-2.0", "held-out", "Limits", "difficult", str(len(content(MANIFEST.model)))):
        assert word in card
