"""Masks as run lengths, as JSON carries them: the uncompressed RLE of COCO.

A mask is {"size": [rows, columns], "counts": [...], "within": [ymin, xmin, ymax, xmax]}. The cells are read
column by column; ``counts`` are the lengths of runs of zeros and ones in turn, beginning with the zeros, so
that the first may be 0. That is the format of COCO's annotations of crowds (cocodataset.org/#format-data).
``within`` is ours: where the mask's grid lies in the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.types import Array, Box

MAX_SIDE = 4096
"""The most rows, and the most columns, of a mask that is read."""


def encode(mask: Array, within: Box = WHOLE) -> dict[str, Any]:
    """Write a mask as JSON carries it.

    Args:
        mask: bool (rows, columns), at least one of each.
        within: where its grid lies in the frame.
    """
    cells = mask.reshape(-1, order="F")
    ends = np.flatnonzero(cells[1:] != cells[:-1]) + 1
    edges = np.concatenate(([0], ends, [cells.size]))
    counts: list[int] = np.diff(edges).tolist()
    return {
        "size": list(mask.shape),
        "counts": [0, *counts] if cells[0] else counts,
        "within": list(within),
    }


def decode(mask: Mapping[str, Any]) -> Array:
    """Read a mask: bool (rows, columns).

    No more memory is taken than ``size`` says, which is bounded by ``MAX_SIDE``.

    Raises:
        ValueError: the size or the counts are no such numbers, or the counts are of another number of cells.
    """
    rows, columns = _whole_numbers(mask.get("size"), range(2, 3), range(1, MAX_SIDE + 1))
    cells = rows * columns
    counts = _whole_numbers(mask.get("counts"), range(1, cells + 2), range(cells + 1))
    if sum(counts) != cells:
        raise ValueError(f"the counts are {sum(counts)} cells, and {rows} x {columns} are {cells}")
    ones = np.arange(len(counts)) % 2 == 1
    grid: Array = np.repeat(ones, counts).reshape((rows, columns), order="F")
    return grid


def _whole_numbers(found: object, many: range, allowed: range) -> list[int]:
    if not isinstance(found, list) or len(found) not in many:
        raise ValueError("the size or the counts of the mask are no list, or too long a one")
    if not all(type(one) is int and one in allowed for one in found):
        raise ValueError("the size or the counts of the mask hold what is no such whole number")
    return found
