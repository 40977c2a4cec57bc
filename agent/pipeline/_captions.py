"""Text on pictures: a label in its colour, readable, and never beyond the picture's edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array

Colour = tuple[int, int, int]
"""Blue, green, red."""

COLOURS: tuple[Colour, ...] = (
    (80, 175, 76), (54, 67, 244), (243, 150, 33), (7, 193, 255), (176, 39, 156), (212, 188, 0), (34, 87, 255),
    (99, 30, 233), (57, 220, 205), (139, 125, 96),
)  # fmt: skip
DARK, LIGHT = (24, 24, 24), (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ELLIPSIS = "..."


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle in pixels: from (left, top) up to, and without, (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: Place) -> bool:
        """Whether the two share a pixel."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def moved_into(self, width: int, height: int) -> Place:
        """Move it into a picture of this size, as far as it fits."""
        left = max(0, min(self.left, width - (self.right - self.left)))
        top = max(0, min(self.top, height - (self.bottom - self.top)))
        return Place(left, top, left + self.right - self.left, top + self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Type:
    """A size of text: the font's scale, the stroke's thickness and the room around it, in pixels."""

    scale: float
    stroke: int
    margin: int

    def size(self, text: str) -> tuple[int, int]:
        """Give the width and height of a label with this text, its margin included."""
        (width, height), base = cv2.getTextSize(text, _FONT, self.scale, self.stroke)
        return width + 2 * self.margin, height + base + self.margin

    def cut(self, text: str, room: int) -> str:
        """Shorten a text so that its label is at most ``room`` pixels wide; "" when none is.

        The font knows ASCII only: other characters become question marks.
        """
        text = text.replace("…", _ELLIPSIS).encode("ascii", "replace").decode()
        if self.size(text)[0] <= room:
            return text
        low, high = 0, len(text)
        while low < high:  # the longest start that fits, by halves
            middle = (low + high + 1) // 2
            if self.size(text[:middle].rstrip() + _ELLIPSIS)[0] <= room:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + _ELLIPSIS if low else ""


def type_for(short_side: int) -> Type:
    """Choose a size of text for a picture whose shorter side has so many pixels."""
    scale = min(max(short_side / 960, 0.4), 3.0)
    stroke = max(1, round(scale * 1.4))
    return Type(scale, stroke, max(2, round(scale * 7)))


def colour_of(index: object) -> Colour:
    """The colour of a class."""
    return COLOURS[index % len(COLOURS)] if isinstance(index, int) else COLOURS[0]


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever is easier to read on a colour: by its relative luminance (WCAG 2)."""
    blue, green, red = ((one / 255) ** 2.2 for one in colour)
    return DARK if 0.0722 * blue + 0.7152 * green + 0.2126 * red > 0.18 else LIGHT


def put(pixels: Array, text: str, place: Place, colour: Colour, style: Type) -> None:
    """Draw a label: text that fits ``place``, on a ground of ``colour``. In place."""
    cv2.rectangle(pixels, (place.left, place.top), (place.right - 1, place.bottom - 1), colour, cv2.FILLED)
    _, base = cv2.getTextSize(text, _FONT, style.scale, style.stroke)
    corner = (place.left + style.margin, place.bottom - base - style.margin // 2)
    cv2.putText(pixels, text, corner, _FONT, style.scale, ink_on(colour), style.stroke, cv2.LINE_AA)


def stack(pixels: Array, rows: Sequence[tuple[str, Colour]], style: Type) -> int:
    """Draw labels below each other from the upper left corner, as many as fit; give how many did."""
    height, width = pixels.shape[:2]
    top = 0
    for number, (text, colour) in enumerate(rows):
        shown = style.cut(text, width)
        columns, lines = style.size(shown)
        if not shown or top + lines > height:
            return number
        put(pixels, shown, Place(0, top, columns, top + lines), colour, style)
        top += lines
    return len(rows)
