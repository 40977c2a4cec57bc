"""The shape network in jax and as a file: the same numbers; and what its loss asks for. Needs ``train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.runner import Runner

if TYPE_CHECKING:
    from agent.types import Array

pytest.importorskip("jax", reason="needs jax: pip install -e '.[train]'")


def test_the_file_computes_what_was_trained() -> None:
    from models.shapes import network

    params = network.initial(3)
    graph, outputs = network.graph(params)
    runner = Runner(graph.write(outputs, "float32"))
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 128, 3), np.uint8)
    logits, sides = (np.asarray(one) for one in network.heads(params, images))
    for number, image in enumerate(images):
        scores, boxes = runner.run_all(image / 255)
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits[number])), atol=1e-5)
        np.testing.assert_allclose(boxes, sides[number], atol=1e-4)


SHAPE = [1.0, 0.25, 0.25, 0.75, 0.5, 1.0]
"""Class 1: rows 6 to 18 of 24, columns 8 to 16 of 32: the centre's cell is (12, 12)."""


def loss_of(monkeypatch: pytest.MonkeyPatch, logits: Array, sides: Array, *shapes: list[float]) -> float:
    """Give the loss of one picture, for a network that gives ``logits`` and ``sides``."""
    from models.shapes import loss, network

    def heads(*_: Any) -> tuple[Array, Array]:
        return logits[None], sides[None]

    monkeypatch.setattr(network, "heads", heads)
    shown = np.full((1, 6, 6), -1, np.float32)
    shown[0, : len(shapes)] = shapes
    return float(loss.loss({}, np.zeros((1, 96, 128, 3), np.uint8), shown))


def answer() -> tuple[Array, Array]:
    """Give the logits and sides that are right for ``SHAPE``."""
    rows, columns = np.mgrid[:24, :32] + 0.5
    sides = np.stack([rows - 6, columns - 8, 18 - rows, 16 - columns], axis=-1).astype(np.float32)
    logits = np.full((24, 32, 5), -12, np.float32)
    logits[12, 12, 1] = 12
    return logits, sides


def test_the_right_answer_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loss_of(monkeypatch, *answer(), SHAPE) == pytest.approx(0, abs=1e-3)


def test_a_wrong_place_a_wrong_class_and_a_wrong_box_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, sides = answer()
    for moved in (np.roll(logits, 8, axis=0), np.roll(logits, 1, axis=2)):
        assert loss_of(monkeypatch, moved, sides, SHAPE) > 5
    assert 0.2 < loss_of(monkeypatch, logits, sides * 1.2, SHAPE) < 0.5


def test_a_difficult_shape_is_neither_demanded_nor_punished(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, sides = answer()
    hidden = [*SHAPE[:5], 0.2]
    easy = [0.0, 0.0, 0.0, 0.2, 0.2, 1.0]
    logits[2, 3, 0] = 12
    without = logits.copy()
    without[12, 12, 1] = -12
    found = loss_of(monkeypatch, logits, sides, easy, hidden)
    assert loss_of(monkeypatch, without, sides, easy, hidden) == pytest.approx(found, abs=1e-3)
