"""Draws results on the frames that they came from: boxes, masks, keypoints, classes; windows as curves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from agent.errors import FolderUnusable
from agent.pipeline import _captions, _overlays
from agent.pipeline._captions import Place
from agent.pipeline.plot import is_window, plot
from agent.types import WHOLE
from agent.wording import event_in_words, item_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.pipeline._captions import Colour, Type
    from agent.pipeline.slot import Item
    from agent.types import Array, Box, Result

_LEAST = 240
"""Pictures whose shorter side has fewer pixels are enlarged, so that captions can be read."""
_MOST_ENLARGED = 4_000_000
"""Pixels of an enlarged picture: a strip one pixel high is not blown up."""
_MANY = 25
"""With more boxes than that their captions are smaller."""
_BROW = 0.1
"""How far above a person's keypoints the caption stands, as a share of their height."""
_SHIFT = 4
"""Bits behind the point of cv2's coordinates."""


class Draughtsman:
    """Writes an annotated copy of each frame into a folder.

    Args:
        folder: made when it isn't there.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderUnusable(
                "draw into", str(folder), error.strerror or str(error), "Give a folder that can be written"
            ) from error
        self._folder = folder

    def __call__(self, pixels: Array, item: Item, result: Result) -> None:
        """Write the picture as ``<frame>-<name>.png``; frames that are neither are left out."""
        if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == "uint8":
            drawn = annotated(pixels, result, item.info.region)
        elif is_window(pixels):
            drawn = plot(pixels, result)
        else:  # some other tensor
            return
        name = Path(item.info.origin).stem[:60] or "frame"  # a file's name may have 255 bytes
        path = self._folder / f"{item.info.seq:05d}-{name}.png"
        if not cv2.imwrite(str(path), drawn):
            raise FolderUnusable(
                "write picture", str(path), "the folder does not take it", "Is the disk full?"
            )


def annotated(pixels: Array, result: Result, region: Box = WHOLE) -> Array:
    """Give a copy of a uint8 (height, width, 3) BGR picture with the result drawn on it.

    Small pictures come back enlarged, by a whole number. A white line is round the region that the model was
    shown, where that is not the whole. Items with a mask tint what it covers, those with
    keypoints are drawn as these and the limbs between them, those with a box as boxes; the others stand as
    lines in the upper left corner, with the events below. A picture that the model made stands at the right.
    """
    short = int(min(pixels.shape[:2]))
    times = max(1, min(-(-_LEAST // short), math.isqrt(_MOST_ENLARGED * 3 // pixels.size)))
    size = (pixels.shape[1] * times, pixels.shape[0] * times)
    drawn = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC) if times > 1 else pixels.copy()
    boxed = [item for item in result.items if "box" in item]
    plain = [item for item in result.items if "box" not in item]
    style = _captions.type_for(short * times * (2 if len(boxed) > _MANY else 3) // 3)
    if region != WHOLE:
        _outline(drawn, region, _captions.LIGHT)
    for item in reversed(result.items):
        _shape(drawn, item)
    taken: list[Place] = []
    for item in boxed:
        _caption(drawn, item, taken, style)
    rows = [(item_in_words(item), _colour(item)) for item in plain]
    rows = rows if result.items else [("nothing found", _captions.DARK)]
    events = [(event_in_words(event), _captions.LIGHT) for event in result.events]
    _captions.stack(drawn, [*rows, *events], style)
    return _overlays.beside(drawn, result.items)


def _colour(item: Mapping[str, Any]) -> Colour:
    """The colour of an item: of its track, where it has one, so that neighbours can be told apart."""
    return _captions.colour_of(item.get("track", item.get("index")))


def _shape(pixels: Array, item: Mapping[str, Any]) -> None:
    """Draw where an item is. An area says it better than the box round it, and so do keypoints."""
    if "mask" in item:
        _overlays.tint(pixels, item["mask"], _colour(item))
    elif "keypoints" in item:
        _overlays.skeleton(pixels, item["keypoints"], _thickness(pixels))
    elif "box" in item:
        _outline(pixels, item["box"], _colour(item))


def _corners(pixels: Array, box: Sequence[float], margin: float) -> tuple[float, float, float, float]:
    """Give left, top, right, bottom in pixels, ``margin`` away from the picture's edge at least."""
    height, width = pixels.shape[:2]
    top, left, bottom, right = box

    def inside(share: float, length: int) -> float:
        return min(max(share * length - 0.5, margin), length - 1 - margin)

    return inside(left, width), inside(top, height), inside(right, width), inside(bottom, height)


def _thickness(pixels: Array) -> int:
    return max(2, round(int(min(pixels.shape[:2])) / 220))


def _outline(pixels: Array, box: Sequence[float], colour: Colour) -> None:
    """Draw a box, with a thin dark rim that lifts it off a ground of its own colour."""
    thick = _thickness(pixels)
    left, top, right, bottom = (round(one * (1 << _SHIFT)) for one in _corners(pixels, box, thick / 2 + 1))
    for one, width in ((_captions.DARK, thick + 2), (colour, thick)):
        cv2.rectangle(pixels, (left, top), (right, bottom), one, width, cv2.LINE_AA, _SHIFT)


def _caption(pixels: Array, item: Mapping[str, Any], taken: list[Place], style: Type) -> None:
    """Put a box's label where no other stands: above it, inside, below; else above it all the same."""
    height, width = pixels.shape[:2]
    text = style.cut(item_in_words(item), width)
    if not text:
        return
    half = _thickness(pixels) / 2 + 1
    left, top, _, bottom = _corners(pixels, item["box"], half)
    if "keypoints" in item:  # the uppermost are the eyes, and the face shall be seen
        top -= _BROW * (bottom - top)
    wide, high = style.size(text)
    start = round(left - half)
    rows = (
        round(top - half) - high + 1,
        round(top + half),
        round(bottom + half),
        round(bottom - half) - high,
    )
    wanted = [Place(start, row, start + wide, row + high) for row in rows]
    inside = [place for place in wanted if place.top >= 0 and place.bottom <= height]
    places = [place.moved_into(width, height) for place in inside or wanted[:1]]
    place = _first_free(places, taken)
    taken.append(place)
    _captions.put(pixels, text, place, _colour(item), style)


def _first_free(places: Sequence[Place], taken: Sequence[Place]) -> Place:
    free = (one for one in places if not any(one.overlaps(other) for other in taken))
    return next(free, places[0])
