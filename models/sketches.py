"""Small models written by hand, without training: they show a task where no model of our own is at hand.

``python -m models.sketches FOLDER`` writes them. They are arithmetic on pixels, and good for nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import speller
from models.graph import Graph

if TYPE_CHECKING:
    from agent.types import Array

GROUND_LABELS = ("other", "sky", "plants", "sand")
TONES_LABELS = ("bright", "dark", "warm", "cold")
_SIDE = 128


def ground(side: int = _SIDE) -> bytes:
    """Segment a landscape by colour alone: a class for each pixel, (1, side, side, 3), float32.

    Grey that is bright is sky, what is greener than red is plants, what is redder than blue is sand or water
    over it; the rest is other.
    """
    graph = Graph("landscape by colour, written by hand")
    picture = graph.input("picture", (1, side, side, 3), (0.0, 1.0))
    weights = np.array([[0.0, 0.0, 0.0], [-16.0, 0.0, 26.0], [-40.0, 60.0, -22.0], [20.0, -2.0, -16.0]])
    bias = np.array([0.5, -5.0, 1.0, 0.0])
    logits = graph.conv("logits", picture, weights[:, None, None, :], bias, stride=1, relu=False)
    return graph.write(graph.softmax("classes", logits), "float32")


def outlines(side: int = _SIDE) -> bytes:
    """Turn a picture into its outlines: (1, side, side, 1), float32 in [0, 1], bright where it changes.

    Four kernels after Prewitt, each with its negative, look for a step in brightness; their sum is cut off.
    """
    step = np.array([[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    slope = np.array([[-1.0, -1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    kernels = np.stack([one for kernel in (step, step.T, slope, slope[:, ::-1]) for one in (kernel, -kernel)])
    graph = Graph("outlines, written by hand")
    picture = graph.input("picture", (1, side, side, 3), (0.0, 1.0))
    weights = np.repeat(kernels[..., None], 3, axis=3) / 3
    edges = graph.conv("edges", picture, weights, np.zeros(len(kernels)), stride=1, relu=True)
    return graph.write(
        graph.pointwise("outlines", edges, np.full((1, len(kernels)), 0.5), np.zeros(1)), "float32"
    )


def brightness(side: int = 16) -> bytes:
    """Give two numbers of a picture: how bright it is, 0 to 1, and how much redder than blue, -1 to 1."""
    graph = Graph("brightness and warmth, written by hand")
    picture = graph.input("picture", (1, side, side, 3), (0.0, 1.0))
    share = 1.0 / (side * side)
    grey: Array = np.tile([0.299, 0.587, 0.114], side * side) * share
    warm: Array = np.tile([1.0, 0.0, -1.0], side * side) * share
    flat = graph.reshape("pixels", picture, (1, side * side * 3))
    return graph.write(graph.dense("numbers", flat, np.stack([grey, warm]), np.zeros(2)), "float32")


def tones(side: int = 16) -> bytes:
    """Say which tones a picture has, of which several may be: (1, 4), logits, each for itself.

    Bright and dark part at half the brightness; warm is redder than blue by more than 0.1, cold bluer.
    """
    graph = Graph("tones of a picture, written by hand")
    picture = graph.input("picture", (1, side, side, 3), (0.0, 1.0))
    flat = graph.reshape("pixels", picture, (1, side * side * 3))
    grey, warm = np.array([0.299, 0.587, 0.114]), np.array([1.0, 0.0, -1.0])
    weights = np.tile(np.stack([grey, -grey, warm, -warm]), side * side) * 20 / (side * side)
    return graph.write(graph.dense("tones", flat, weights, np.array([-10.0, 10.0, -2.0, -2.0])), "float32")


def trend(samples: int = 64, ahead: int = 16) -> bytes:
    """Forecast a window of one channel: a straight line through its last quarter, ``ahead`` steps on.

    The line is that of least squares, which is linear in the samples, so one dense layer is all of it.
    """
    used = samples // 4
    at = np.arange(used) - (used - 1) / 2
    slope = at / np.square(at).sum()
    steps = np.arange(1, ahead + 1) + (used - 1) / 2
    weights = np.zeros((ahead, samples))
    weights[:, -used:] = 1 / used + steps[:, None] * slope
    graph = Graph("trend of a window, written by hand")
    window = graph.input("window", (1, samples), (-1.0, 1.0))
    return graph.write(graph.dense("forecast", window, weights, np.zeros(ahead)), "float32")


def main() -> None:
    """Write them into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (
        ("ground", ground()),
        ("outlines", outlines()),
        ("brightness", brightness()),
        ("tones", tones()),
        ("trend", trend()),
        ("speller", speller.speller()),
    ):
        (folder / f"{name}.tflite").write_bytes(data)
    for name, labels in (("ground", GROUND_LABELS), ("tones", TONES_LABELS), ("speller", speller.WORDS)):
        (folder / f"{name}.txt").write_text("".join(f"{label}\n" for label in labels))


if __name__ == "__main__":
    main()
