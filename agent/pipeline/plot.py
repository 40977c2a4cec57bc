"""Draws a window of samples: a row for each channel, with its range, and what the model says on top.

A forecast goes on where its channel ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.pipeline import _captions
from agent.wording import item_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agent.types import Array, Result

WIDTH, HEIGHT = 960, 480
_MOST_CHANNELS = 8
_LEFT, _RIGHT, _TOP, _GAP = 96, 16, 44, 10
_PAPER, _GRID, _TEXT = (255, 255, 255), (228, 228, 228), (96, 96, 96)
_AHEAD = _captions.COLOURS[1]
"""The colour of what is forecast."""
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
    ahead = _ahead(result.items, samples.shape[1])
    for channel in range(shown):
        rows = (_TOP + channel * room, _TOP + (channel + 1) * room - _GAP)
        _curve(pixels, samples[:, channel], ahead[channel], rows, _captions.COLOURS[2 + channel % 4])
    note = f"{len(samples)} samples"
    note += f", {len(ahead[0])} steps ahead" if ahead[0].size else ""
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


def _ahead(items: Sequence[Mapping[str, Any]], channels: int) -> list[Array]:
    """Give what is forecast of each channel; nothing where the model forecasts others than it is given."""
    steps = [item for item in items if "step" in item and isinstance(item.get("value"), int | float)]
    known = {item.get("index") for item in steps} == set(range(channels))
    steps = steps if known else []
    found = [[item["value"] for item in steps if item["index"] == channel] for channel in range(channels)]
    return [np.nan_to_num(np.array(values, np.float64)).clip(-_LARGEST, _LARGEST) for values in found]


def _curve(
    pixels: Array, values: Array, ahead: Array, rows: tuple[int, int], colour: _captions.Colour
) -> None:
    """Draw one channel between two rows, scaled to its own range, which stands at its left."""
    (top, bottom), right = rows, WIDTH - _RIGHT
    cv2.rectangle(pixels, (_LEFT, top), (right, bottom), _GRID, 1)
    both = np.concatenate((values, ahead))
    low, high = float(both.min()), float(both.max())
    _write(pixels, f"{high:.3g}", 8, top)
    _write(pixels, f"{low:.3g}", 8, bottom - _SMALL.size("0")[1])
    height = bottom - top - 4

    def line(at: Array, values: Array, colour: _captions.Colour, thick: int) -> None:
        share = (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
        place = np.stack((_LEFT + 1 + at * (right - _LEFT - 2), bottom - 2 - share * height), axis=1)
        points = np.rint(place * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(
            pixels,
            [points],
            isClosed=False,
            color=colour,
            thickness=thick,
            lineType=cv2.LINE_AA,
            shift=_SHIFT,
        )

    now = (len(values) - 1) / (len(both) - 1)
    at, thinned = _thinned(values)
    line(at * now, thinned, colour, 1)
    if ahead.size:
        line(np.linspace(now, 1, len(ahead) + 1), np.append(values[-1], ahead), _AHEAD, 2)


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
