"""Draws results on the pictures that they came from: boxes, or the best class as a caption."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from agent.errors import FolderUnusable

if TYPE_CHECKING:
    from agent.pipeline.slot import Item
    from agent.types import Array, Result

_COLOURS = ((60, 180, 75), (25, 130, 245), (200, 130, 0), (75, 25, 230), (180, 30, 145), (40, 170, 170))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Draughtsman:
    """Writes an annotated copy of each picture into a folder.

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
        """Write the picture as ``<frame>-<name>.png``; frames that are no pictures are left out."""
        if pixels.ndim != 3 or pixels.dtype != "uint8":  # a window of samples
            return
        draw(pixels, result)
        name = Path(item.info.origin).stem[:60] or "frame"  # a file's name may have 255 bytes
        path = self._folder / f"{item.info.seq:05d}-{name}.png"
        if not cv2.imwrite(str(path), pixels):
            raise FolderUnusable(
                "write picture", str(path), "the folder does not take it", "Is the disk full?"
            )


def draw(pixels: Array, result: Result) -> None:
    """Draw a result onto a uint8 (height, width, 3) BGR picture, in place."""
    height, width = pixels.shape[:2]
    thick = max(1, round(min(height, width) / 240))
    caption_row = 0
    for one in result.items:
        colour = _COLOURS[int(one.get("index", 0)) % len(_COLOURS)]
        text = f"{one['label']} {one['score']:.2f}" if "label" in one and "score" in one else ""
        if "box" in one:
            top, left, bottom, right = one["box"]
            corner = (round(left * width), round(top * height))
            cv2.rectangle(pixels, corner, (round(right * width), round(bottom * height)), colour, thick)
            _label(pixels, text, corner, colour, thick)
        elif text:
            caption_row += 1
            _label(pixels, text, (4, caption_row * 22 * thick), colour, thick)


def _label(
    pixels: Array, text: str, corner: tuple[int, int], colour: tuple[int, int, int], thick: int
) -> None:
    scale = 0.5 * thick
    (text_width, text_height), base = cv2.getTextSize(text, _FONT, scale, thick)
    left = max(0, min(corner[0], pixels.shape[1] - text_width))
    bottom = max(text_height + base, corner[1])
    cv2.rectangle(
        pixels, (left, bottom - text_height - base), (left + text_width, bottom), colour, cv2.FILLED
    )
    cv2.putText(pixels, text, (left, bottom - base // 2), _FONT, scale, (255, 255, 255), thick, cv2.LINE_AA)
