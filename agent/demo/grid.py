"""A page of characters, each with a style: what the demo draws on, before any terminal sees it."""

from __future__ import annotations

import unicodedata
from itertools import groupby

Cell = tuple[str, str]
"""A character one column wide, and the name of its style, "" for none."""
_BLANK: Cell = (" ", "")


class Grid:
    """``width`` columns by ``height`` rows; whatever is put outside is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width = max(0, width)
        self.height = max(0, height)
        self._cells = [[_BLANK] * self.width for _ in range(self.height)]

    def put(self, column: int, row: int, text: str, style: str = "") -> int:
        """Write one line of text; give the column behind it."""
        if 0 <= row < self.height:
            for at, character in enumerate(text, start=column):
                if 0 <= at < self.width:
                    self._cells[row][at] = (narrow(character), style)
        return column + len(text)

    def paste(self, column: int, row: int, other: Grid) -> None:
        """Lay another grid over this one."""
        for down, cells in enumerate(other._cells):
            for right, (character, style) in enumerate(cells):
                self.put(column + right, row + down, character, style)

    def frame(self, column: int, row: int, width: int, height: int, style: str = "") -> None:
        """Draw the four edges of a box; its inside stays as it is."""
        right, bottom = column + width - 1, row + height - 1
        self.put(column, row, "┌" + "─" * (width - 2) + "┐", style)
        self.put(column, bottom, "└" + "─" * (width - 2) + "┘", style)
        for between in range(row + 1, bottom):
            self.put(column, between, "│", style)
            self.put(right, between, "│", style)

    def runs(self) -> list[list[tuple[str, str]]]:
        """Give the rows as runs of text of one style."""
        return [
            [("".join(one for one, _ in cells), style) for style, cells in groupby(row, key=lambda c: c[1])]
            for row in self._cells
        ]

    def text(self) -> list[str]:
        """Give the rows without styles."""
        return ["".join(character for character, _ in row) for row in self._cells]


def narrow(character: str) -> str:
    """Give a character that takes one column: itself, or a dot for one that may take two or none."""
    wide = unicodedata.east_asian_width(character) in "WF" or unicodedata.combining(character)
    return "·" if wide or not character.isprintable() else character
