"""The bundled glyph classifier, as it was committed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from agent import manifest
from agent.sources.synthesis.glyphs import LABELS
from models import glyphs
from models.glyphs import data
from models.runner import Runner

FOLDER = Path(glyphs.__file__).parent
MANIFEST = manifest.parse((FOLDER / "manifest.json").read_bytes())


def content(path: str) -> bytes:
    return (FOLDER / path).read_bytes()


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner(content(MANIFEST.model))


def test_every_file_is_the_one_that_the_manifest_names() -> None:
    assert len(content(MANIFEST.model)) < 100_000
    named = {one.path: one.sha256 for one in MANIFEST.files}
    assert {path: hashlib.sha256(content(path)).hexdigest() for path in named} == named
    assert {path.name for path in (FOLDER / "golden").iterdir()} == {Path(p).name for p in named if "/" in p}


def test_its_labels_are_the_glyphs_in_the_order_of_its_outputs() -> None:
    assert content("labels.txt").decode().splitlines() == list(LABELS)
    assert content("labels.txt").endswith(b"\n")


def test_it_reproduces_its_golden_answers(runner: Runner) -> None:
    assert len(MANIFEST.golden) == 5
    for golden in MANIFEST.golden:
        picture = np.load(FOLDER / golden.input)
        assert (picture.dtype.name, picture.shape) == ("uint8", (data.SIDE, data.SIDE, 3))
        scores = runner.run(picture / 255)
        [expect] = golden.expect
        best = int(scores.argmax())
        assert LABELS[best] == expect["label"]
        assert scores[best] == pytest.approx(expect["score"], abs=golden.tol)


@pytest.mark.parametrize("name", data.CONDITIONS)
def test_it_is_right_on_scenes_that_it_has_never_seen(name: str, runner: Runner) -> None:
    """Fresh seeds, other than those that the training script measures on."""
    images, labels = data.held_out(name, 250, data.HELD_OUT + 77)
    answers = [int(runner.run(image / 255).argmax()) for image in images]
    target = 0.95 if name == data.USUAL else 0.9
    assert np.mean(answers == labels) >= target


def test_all_of_it_is_int8() -> None:
    runner = Runner(content(MANIFEST.model), observe=True)
    kinds = {np.dtype(one["dtype"]).name for one in runner.tensors()}
    assert kinds == {"int8", "int32"}  # biases are int32


def test_the_card_states_the_licence_and_the_limits() -> None:
    card = content("README.md").decode()
    for word in ("Apache-2.0", "held-out", "Limits", str(len(content(MANIFEST.model)))):
        assert word in card
