"""Non-maximum suppression: the same boxes stay as by the plain loop, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decoders.heads import nms
from agent.decoders.heads.nms import apart
from models.metrics import overlap

if TYPE_CHECKING:
    from agent.types import Array

# Corners on a grid: sums and products of them are exact in float32, and so is the comparison.
GRID = 32
edges = st.tuples(st.integers(0, GRID), st.integers(0, GRID)).filter(lambda two: two[0] != two[1]).map(sorted)
boxes = st.tuples(edges, edges).map(lambda two: (two[0][0], two[1][0], two[0][1], two[1][1]))
shares = st.integers(0, 16).map(lambda number: number / 16)


def plainly(found: list[tuple[int, ...]], classes: list[int] | None, iou: float, most: int) -> list[int]:
    """Compare each with each, by the book."""
    kept: list[int] = []
    for at, box in enumerate(found):
        rivals = [one for one in kept if classes is None or classes[one] == classes[at]]
        if all(overlap(box, found[one]) <= iou for one in rivals):  # type: ignore[arg-type]
            kept.append(at)
    return kept[:most]


def as_array(found: list[tuple[int, ...]]) -> Array:
    return np.array(found, np.float32).reshape(-1, 4) / np.float32(GRID)


@pytest.mark.parametrize("pairs", [0, 2048])
@given(st.lists(st.tuples(boxes, st.integers(0, 2)), max_size=40), shares, st.integers(1, 20), st.booleans())
def test_it_keeps_what_the_plain_loop_keeps(
    pairs: int, found: list[tuple[tuple[int, ...], int]], iou: float, most: int, agnostic: bool
) -> None:
    corners = [box for box, _ in found]
    classes = None if agnostic else [index for _, index in found]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nms, "_MOST_PAIRS", pairs)
        kept = apart(as_array(corners), None if classes is None else np.array(classes), iou, most)
    assert kept.tolist() == plainly(corners, classes, iou, most)


@pytest.mark.parametrize("block", [1, 7, 8, 9, 64])
def test_the_size_of_a_block_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    low = draw.integers(0, GRID - 8, (300, 2))
    corners = [tuple(row) for row in np.hstack((low, low + draw.integers(1, 9, (300, 2)))).tolist()]
    classes = draw.integers(0, 3, 300)
    wanted = plainly(corners, classes.tolist(), 0.25, 200)
    monkeypatch.setattr(nms, "_BLOCK", block)
    monkeypatch.setattr(nms, "_MOST_PAIRS", 0)
    assert apart(as_array(corners), classes, 0.25, 200).tolist() == wanted
    assert 20 < len(wanted) < 200


def test_no_boxes_are_apart() -> None:
    assert apart(np.empty((0, 4), np.float32), np.empty(0), 0.5, 10).tolist() == []


@pytest.mark.parametrize("classes", [None, np.zeros(3, int)])
def test_what_a_suppressed_box_overlaps_stays(classes: Array | None) -> None:
    chain = as_array([(0, 0, 8, 8), (0, 4, 8, 12), (0, 8, 8, 16)])
    assert apart(chain, classes, 0.25, 10).tolist() == [0, 2]
