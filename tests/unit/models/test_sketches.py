"""The sketches compute what their docstrings say, in the real interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models import sketches
from models.runner import Runner

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

SIDE = 16
SKY, LEAF, SAND, VIOLET = (0.9, 0.9, 0.92), (0.2, 0.5, 0.1), (0.8, 0.6, 0.4), (0.2, 0.1, 0.3)


def plain(*colour: float) -> Array:
    return np.full((SIDE, SIDE, 3), colour, np.float32)


@pytest.mark.parametrize(
    ("colour", "label"), [(SKY, "sky"), (LEAF, "plants"), (SAND, "sand"), (VIOLET, "other")]
)
def test_the_ground_is_told_by_its_colour(colour: tuple[float, ...], label: str) -> None:
    scores = Runner(sketches.ground(SIDE)).run(plain(*colour))
    assert scores.shape == (SIDE, SIDE, 4)
    assert (scores.argmax(axis=2) == sketches.GROUND_LABELS.index(label)).all()


def test_outlines_are_bright_where_the_picture_changes_and_only_there() -> None:
    picture = plain(0, 0, 0)
    picture[:, SIDE // 2 :] = 1
    drawn = Runner(sketches.outlines(SIDE)).run(picture)[1:-1, 1:-1, 0]
    assert (drawn[:, SIDE // 2 - 2 : SIDE // 2] > 0.5).all()
    assert (np.delete(drawn, [SIDE // 2 - 2, SIDE // 2 - 1], axis=1) < 1e-5).all()


def test_brightness_and_warmth_are_those_of_the_mean_colour() -> None:
    numbers = Runner(sketches.brightness()).run(plain(0.8, 0.5, 0.2))
    assert numbers == pytest.approx([0.299 * 0.8 + 0.587 * 0.5 + 0.114 * 0.2, 0.6], abs=1e-4)


@pytest.mark.parametrize(
    ("colour", "tones"),
    [
        ((0.9, 0.7, 0.5), {"bright", "warm"}),
        ((0.1, 0.2, 0.5), {"dark", "cold"}),
        ((0.9, 0.9, 0.9), {"bright"}),
    ],
)
def test_a_picture_may_have_several_tones(colour: tuple[float, ...], tones: set[str]) -> None:
    logits = Runner(sketches.tones()).run(plain(*colour))
    assert {name for name, one in zip(sketches.TONES_LABELS, logits, strict=True) if one > 0} == tones


def test_a_straight_line_goes_on_straight() -> None:
    line = np.linspace(0, 1, 64 + 16, dtype=np.float32)
    assert Runner(sketches.trend()).run(line[:64]) == pytest.approx(line[64:], abs=1e-4)


def test_each_is_written_with_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["sketches", str(tmp_path / "new")])
    sketches.main()
    names = {"ground", "outlines", "brightness", "tones", "trend", "speller"}
    assert {path.stem for path in (tmp_path / "new").glob("*.tflite")} == names
    assert (tmp_path / "new/tones.txt").read_text() == "bright\ndark\nwarm\ncold\n"
