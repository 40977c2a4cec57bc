"""A decoder whose results lie in the frame, where the model was not shown the whole of it, stretched.

Decoders speak of the model's input. Here boxes, keypoints and masks are brought to where they lie in the
source's frame, and clipped to it; what lies beside the frame altogether, as in a letterbox's bars, is left
out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.imaging import masks
from agent.imaging.placing import Placing, place
from agent.types import WHOLE, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.imaging.placing import Resize
    from agent.types import Array, Decoder, FrameInfo

_DIGITS = 6


class PlacedDecoder:
    """Decodes with another decoder, then places what that one found.

    Args:
        decoder: speaks of the model's input.
        size: the input's height and width, pixels.
        resize: how pictures are brought to that size.
    """

    def __init__(self, decoder: Decoder, size: tuple[int, int], resize: Resize) -> None:
        self._decoder, self._size, self._resize = decoder, size, resize

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        """Read one frame's outputs; ``frame.region`` says what of the frame the model was shown.

        Raises:
            InputRejected: as the decoder does.
        """
        result = self._decoder.decode(outputs, frame, inputs)
        if self._resize == "stretch" and frame.region == WHOLE:
            return result
        size = (max(1, frame.height), max(1, frame.width))
        return placed(result, place(size, self._size, self._resize, frame.region))


def placed(result: Result, placing: Placing) -> Result:
    """Bring the items of a result from the model's input to the frame.

    Args:
        result: its items may have ``box``, ``keypoints`` with a ``point``, or ``mask`` with ``within``.
        placing: how the frame lies in the input.
    """
    items = [dict(one) for one in result.items]
    boxed = [one for one in items if "box" in one]
    if boxed:
        for one, box in zip(boxed, _boxes([one["box"] for one in boxed], placing), strict=True):
            one["box"] = box
    kept = tuple(one for one in items if _is_left(one, placing))
    return Result(result.kind, kept, result.events, result.also)


def _boxes(boxes: Sequence[Sequence[float]], placing: Placing) -> list[list[float]]:
    """Place all boxes at once: there may be a hundred in a frame."""
    top, left, bottom, right = placing.seen
    corners = np.array((top, left, top, left)) + np.asarray(boxes, np.float64) * np.array(
        (bottom - top, right - left, bottom - top, right - left)
    )
    found: list[list[float]] = (corners.clip(0, 1).round(_DIGITS) + 0.0).tolist()
    return found


def _is_left(item: dict[str, Any], placing: Placing) -> bool:
    """Place what else an item has; whether something of it lies in the frame."""
    if "share" in item:
        item["share"] = round(min(item["share"] * placing.area, 1.0), _DIGITS)
    if "mask" in item:
        if (mask := _mask(item["mask"], placing)) is None:
            return False
        item["mask"] = mask
    if "keypoints" in item:  # the box of a single one has no area anywhere
        item["keypoints"] = [
            {**one, "point": list(placing.point(*one["point"]))} for one in item["keypoints"]
        ]
        return True
    if "box" not in item:
        return True
    top, left, bottom, right = item["box"]
    return bool(top < bottom and left < right)


def _mask(mask: Mapping[str, Any], placing: Placing) -> dict[str, Any] | None:
    """Place a mask; cells whose middle lies beside the frame are cut off."""
    within = placing.spread(mask["within"])
    rows = _inside(within[0], within[2], mask["size"][0])
    columns = _inside(within[1], within[3], mask["size"][1])
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        return None
    height, width = mask["size"]
    cell = (within[2] - within[0]) / height, (within[3] - within[1]) / width
    kept = (within[0] + rows[0] * cell[0], within[1] + columns[0] * cell[1],
            within[0] + rows[1] * cell[0], within[1] + columns[1] * cell[1])  # fmt: skip
    counts = mask["counts"]
    if (*rows, *columns) != (0, height, 0, width):
        counts = masks.encode(masks.decode(mask)[slice(*rows), slice(*columns)])["counts"]
    clipped = [round(min(max(one, 0.0), 1.0), _DIGITS) for one in kept]
    size = [rows[1] - rows[0], columns[1] - columns[0]]
    return {**mask, "size": size, "counts": counts, "within": clipped}


def _inside(begin: float, end: float, cells: int) -> tuple[int, int]:
    """Give the first cell whose middle lies within 0 and 1, and the one after the last."""
    middles = begin + (np.arange(cells) + 0.5) * ((end - begin) / cells)
    found = np.flatnonzero((middles > 0) & (middles < 1))
    return (int(found[0]), int(found[-1]) + 1) if found.size else (0, 0)
