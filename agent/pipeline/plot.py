"""Draws a window of samples: a row for each channel, with its range, and what the model says on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.pipeline import _captions
from agent.wording import item_in_words

if TYPE_CHECKING:
    from agent.types import Array, Result

WIDTH, HEIGHT = 960, 480
_MOST_CHANNELS = 8
_LEFT, _RIGHT, _TOP, _GAP = 96, 16, 44, 10
_PAPER, _GRID, _TEXT = (255, 255, 255), (228, 228, 228), (96, 96, 96)
_LARGEST = 1e30
"""Keeps the difference of two samples finite."""
_SHIFT = 4
"""Bits behind the point of cv2's coordinates."""
_SMALL = _captions.Type(scale=0.42, stroke=1, margin=2)


def is_window(data: Array) -> bool:
    """Whether this is a window of samples: floats, of one or two dimensions that are not 1."""
    return data.dtype.kind == "f" and data.size > 1 and np.squeeze(data).ndim in (1, 2)


def plot(data: Array, result: Result) -> Array:
    """Draw a window: float (samples, channels) or (samples,), dimensions of one aside.

    Returns:
        uint8 (480, 960, 3), BGR. At most 8 channels are drawn, the first ones, and the picture says so.
    """
    samples = np.nan_to_num(np.squeeze(data).astype(np.float64)).clip(-_LARGEST, _LARGEST)
    samples = samples.reshape(len(samples), -1)
    pixels = np.full((HEIGHT, WIDTH, 3), _PAPER, np.uint8)
    shown = min(samples.shape[1], _MOST_CHANNELS)
    room = (HEIGHT - _TOP - _GAP) // shown
    for channel in range(shown):
        top = _TOP + channel * room
        _curve(pixels, samples[:, channel], top, top + room - _GAP, _captions.COLOURS[2 + channel % 4])
    note = f"{len(samples)} samples"
    if shown < samples.shape[1]:
        note += f", {shown} of {samples.shape[1]} channels"
    _write(pixels, note, WIDTH - _RIGHT - _SMALL.size(note)[0], 12)
    style = _captions.type_for(HEIGHT + HEIGHT // 2)
    left = 0
    for item in result.items or ({},):
        text = style.cut(item_in_words(item) or "nothing found", WIDTH // 2)
        width, height = style.size(text)
        if left + width > WIDTH - _RIGHT - _SMALL.size(note)[0]:
            break
        place = _captions.Place(left, 0, left + width, height)
        _captions.put(pixels, text, place, _captions.colour_of(item.get("index")), style)
        left += width
    return pixels


def _curve(pixels: Array, values: Array, top: int, bottom: int, colour: _captions.Colour) -> None:
    """Draw one channel between two rows, scaled to its own range, which stands at its left."""
    right = WIDTH - _RIGHT
    cv2.rectangle(pixels, (_LEFT, top), (right, bottom), _GRID, 1)
    low, high = float(values.min()), float(values.max())
    _write(pixels, f"{high:.3g}", 8, top)
    _write(pixels, f"{low:.3g}", 8, bottom - _SMALL.size("0")[1])
    at, values = _thinned(values)
    span = high - low or 1.0
    height = bottom - top - 4
    y = bottom - 2 - ((values - low) / span if high > low else np.full_like(values, 0.5)) * height
    x = _LEFT + 1 + at * (right - _LEFT - 2)
    points = np.rint(np.stack((x, y), axis=1) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(pixels, [points], isClosed=False, color=colour, lineType=cv2.LINE_AA, shift=_SHIFT)


def _thinned(values: Array) -> tuple[Array, Array]:
    """Give where to draw (0 to 1) and what: the lowest and highest of each column where there are more."""
    columns = WIDTH - _LEFT - _RIGHT
    if len(values) > 4 * columns:
        starts = np.linspace(0, len(values), columns, endpoint=False).astype(int)
        pair = (np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts))
        values = np.stack(pair, axis=1).reshape(-1)
    return np.linspace(0, 1, len(values)), values


def _write(pixels: Array, text: str, left: int, top: int) -> None:
    width, height = _SMALL.size(text)
    place = _captions.Place(left, top, left + width, top + height)
    _captions.put(pixels, text, place, _PAPER, _SMALL)
