"""What the newest result looks like: boxes where things are, or bars of the classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agent.demo.grid import Grid
from agent.wording import item_in_words, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLOURS = ("green", "cyan", "yellow", "magenta", "red", "blue")
_NAME = 14


def colour(item: Mapping[str, Any]) -> str:
    """The style of an item's class."""
    index = item.get("index")
    return f"bold {COLOURS[index % len(COLOURS)] if isinstance(index, int) else COLOURS[0]}"


def boxes(items: Sequence[Mapping[str, Any]], width: int, height: int) -> Grid:
    """Draw each item's box with its label, small ones on top; items without a box are left out.

    ``box`` is [ymin, xmin, ymax, xmax] in [0, 1] of the picture, which fills the grid.
    """
    grid = Grid(width, height)
    for item in sorted((item for item in items if "box" in item), key=_area, reverse=True):
        _box(grid, item)
    return grid


def _area(item: Mapping[str, Any]) -> float:
    top, left, bottom, right = item["box"]
    return float((bottom - top) * (right - left))


def _box(grid: Grid, item: Mapping[str, Any]) -> None:
    top, left, bottom, right = item["box"]
    column, columns = _span(left, right, grid.width)
    row, rows = _span(top, bottom, grid.height)
    style = colour(item)
    grid.frame(column, row, columns, rows, style)
    label = plain(item.get("label", ""), 40)
    score = item.get("score")
    texts = [f"{label} {score:.2f}".strip()] if isinstance(score, int | float) else []
    room = columns - 2
    fitting = [text for text in (*texts, label) if len(text) <= room]
    text = fitting[0] if fitting else plain(label, room) if room > 1 else ""
    grid.put(column + 1, row, text, f"{style} reverse")


def _span(low: float, high: float, cells: int) -> tuple[int, int]:
    """Give the first cell and the number of cells, at least 2, of a share of ``cells``."""
    first = min(max(math.floor(low * cells), 0), max(cells - 2, 0))
    last = min(max(math.ceil(high * cells) - 1, first + 1), cells - 1)
    return first, last - first + 1


def bars(items: Sequence[Mapping[str, Any]], width: int, height: int) -> Grid:
    """Draw a bar a class, as long as its score; items without a score in words."""
    grid = Grid(width, height)
    for row, item in enumerate(items[:height]):
        score = item.get("score")
        if not isinstance(score, int | float):
            grid.put(0, row, item_in_words(item)[:width])
            continue
        grid.put(0, row, plain(item.get("label", ""), _NAME))
        room = max(0, width - _NAME - 7)
        length = round(min(max(score, 0.0), 1.0) * room)
        grid.put(_NAME + 1, row, "█" * length, colour(item))
        grid.put(_NAME + 1 + length, row, "░" * (room - length), "dim")
        grid.put(width - 4, row, f"{score:.2f}")
    return grid
