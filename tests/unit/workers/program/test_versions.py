"""One model as float, int8 and uint8, through the real runtime: the decodings are a step apart at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.workers.program import engines
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec
from models.graph import Graph
from tests import runtimes

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array
    from models.graph import Value
    from models.quantize import Precision

PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "uint8")
STEP = 1 / 255
_ROUNDED = 2e-6
"""Decoders round to six digits."""


def quarters() -> tuple[Graph, Value]:
    """Make a model whose four outputs are how bright each quarter of a picture is, from 0 to 1."""
    net = Graph("quarters")
    flat = net.reshape("flat", net.input("picture", (1, 8, 8, 1), (0.0, 1.0)), (1, 64))
    quarter = np.add.outer(np.arange(8) // 4 * 2, np.arange(8) // 4).reshape(-1)
    weights = (np.arange(4)[:, None] == quarter) / 16.0
    return net, net.dense("brightness", flat, weights, np.zeros(4))


def centers() -> tuple[Graph, list[Value]]:
    """Make a detector: each quarter's score is its brightness, and so is how far its box reaches."""
    net = Graph("centers")
    source = net.input("picture", (1, 8, 8, 1), (0.0, 1.0))
    scores = net.conv("scores", source, np.full((2, 4, 4, 1), 1 / 16), np.zeros(2), stride=4, relu=False)
    boxes = net.conv("boxes", source, np.full((4, 4, 4, 1), 1 / 16), np.zeros(4), stride=4, relu=False)
    return net, [scores, boxes]


def decoded(folder: Path, task: str, data: Array, net: Graph, output: Any, **options: Any) -> list[list[Any]]:
    """Give what each version's decoder finds."""
    ranges = dict.fromkeys(("brightness", "scores", "boxes"), (0.0, 1.0))
    found = []
    for precision in PRECISIONS:
        path = folder / f"{precision}.tflite"
        path.write_bytes(net.write(output, precision, ranges))
        backend = {"runtime": runtimes.CHOSEN}
        spec = LaneSpec(
            pipeline="p", model=str(path), source="x", task=task, decoder=options, backend_options=backend
        )
        model = engines.model_of(spec)
        tryout = Tryout(engines.engine(spec, model, engines.backend_of(spec, model)))
        assert tryout.engine.backend.inputs[0].dtype == precision
        found.append(list(tryout.items(data)))
    return found


def pictures() -> list[Array]:
    rng = np.random.default_rng(8)
    noise = rng.integers(0, 256, (3, 8, 8), np.uint8)
    steps = np.kron(np.array([[250, 3], [40, 180]], np.uint8), np.ones((4, 4), np.uint8))
    return [*noise, steps, np.full((8, 8), 255, np.uint8)]


@pytest.mark.parametrize("number", range(5))
def test_a_classifier_gives_each_class_the_same_score(tmp_path: Path, number: int) -> None:
    plain, *others = decoded(tmp_path, "classification", pictures()[number], *quarters(), top_k=4)
    wanted = {item["index"]: item["score"] for item in plain}
    for items in others:
        assert {item["index"]: item["score"] for item in items} == pytest.approx(wanted, abs=STEP + _ROUNDED)


@pytest.mark.parametrize("number", range(5))
def test_the_numbers_themselves_are_the_same(tmp_path: Path, number: int) -> None:
    plain, *others = decoded(tmp_path, "tensor", pictures()[number], *quarters())
    for items in others:
        assert items[0]["values"] == pytest.approx(plain[0]["values"], abs=STEP + _ROUNDED)


def test_a_detector_finds_the_same_boxes(tmp_path: Path) -> None:
    plain, *others = decoded(tmp_path, "detection", pictures()[3], *centers(), min_score=0.1)
    assert len(plain) == 2  # a peak of each class
    for items in others:
        assert [item["index"] for item in items] == [item["index"] for item in plain]
        for item, same in zip(items, plain, strict=True):
            assert item["score"] == pytest.approx(same["score"], abs=STEP + _ROUNDED)
            assert item["box"] == pytest.approx(same["box"], abs=STEP + _ROUNDED)
