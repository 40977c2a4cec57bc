"""What is drawn over a picture beside boxes: masks as a tint, keypoints with the limbs between them."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.imaging import masks
from agent.pipeline import _captions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.pipeline._captions import Colour
    from agent.types import Array

_TINT = 0.45
"""How much of a mask's colour lies over the picture."""
_SURE = 0.2
"""Keypoints that score less are not drawn."""
_WIDEST = 8192
"""Pixels of a picture that a model made, when it is drawn."""
_SHIFT = 4
"""Bits behind the point of cv2's coordinates."""
_CHAINS = (
    ("left wrist", "left elbow", "left shoulder", "right shoulder", "right elbow", "right wrist"),
    ("left ankle", "left knee", "left hip", "right hip", "right knee", "right ankle"),
    ("left shoulder", "left hip"),
    ("right shoulder", "right hip"),
    ("left ear", "left eye", "nose", "right eye", "right ear"),
)
"""The limbs of the 17 keypoints of COCO."""
_LIMBS = tuple(limb for chain in _CHAINS for limb in pairwise(chain))


def tint(pixels: Array, mask: Mapping[str, Any], colour: Colour) -> None:
    """Lay a mask over a BGR picture, in place: its pixels, and none beside the part that its grid covers."""
    height, width = pixels.shape[:2]
    top, left, bottom, right = mask["within"]
    rows = np.arange(max(0, round(top * height)), min(height, round(bottom * height)))
    columns = np.arange(max(0, round(left * width)), min(width, round(right * width)))
    if not (rows.size and columns.size):
        return
    grid = masks.decode(mask)
    high, wide = grid.shape
    at_row = (((rows + 0.5) / height - top) / (bottom - top) * high).astype(int).clip(0, high - 1)
    at_column = (((columns + 0.5) / width - left) / (right - left) * wide).astype(int).clip(0, wide - 1)
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    covered = grid[np.ix_(at_row, at_column)].astype(bool)
    part[covered] = (part[covered] * (1 - _TINT) + np.array(colour) * _TINT).astype(np.uint8)


def beside(pixels: Array, items: Sequence[Mapping[str, Any]]) -> Array:
    """Give the picture with that which a model made of it at its right, as high as it is; else as it is."""
    packed = next((item["png"] for item in items if "png" in item), None)
    if packed is None:
        return pixels
    made = cv2.imdecode(np.frombuffer(base64.b64decode(packed), np.uint8), cv2.IMREAD_COLOR)
    if made is None:  # a decoder that is not ours may have put anything there
        return pixels
    height = pixels.shape[0]
    width = max(1, min(round(made.shape[1] * height / made.shape[0]), _WIDEST))
    return np.hstack([pixels, cv2.resize(made, (width, height), interpolation=cv2.INTER_NEAREST)])


def skeleton(pixels: Array, keypoints: Sequence[Mapping[str, Any]], thick: int) -> None:
    """Draw keypoints that are sure enough, and the limbs between them. In place."""
    sure = [one for one in keypoints if one["score"] >= _SURE]
    places = {one["label"]: _place(pixels, one["point"]) for one in sure}
    limbs = [limb for limb in _LIMBS if limb[0] in places and limb[1] in places]
    for number, (one, two) in enumerate(limbs):
        for colour, width in ((_captions.DARK, thick + 2), (_captions.colour_of(number), thick)):
            cv2.line(pixels, places[one], places[two], colour, width, cv2.LINE_AA, _SHIFT)
    for place in places.values():
        for colour, radius in ((_captions.DARK, thick + 3), (_captions.LIGHT, thick + 1)):
            cv2.circle(pixels, place, radius << _SHIFT, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _place(pixels: Array, point: tuple[float, float]) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    y, x = point
    return round((x * width - 0.5) * (1 << _SHIFT)), round((y * height - 0.5) * (1 << _SHIFT))
