"""What YOLO's heads share: boxes as centre x, centre y, width and height, in pixels or in shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.decoders.heads.boxes import corners
from agent.errors import ModelInvalid

if TYPE_CHECKING:
    from agent.decoders._output import Output
    from agent.decoders.heads.boxes import Size
    from agent.decoders.heads.options import Options
    from agent.types import Array

_BEYOND = 2.0
"""No coordinate in shares comes near this, and no picture's in pixels stay below it."""


class Unit:
    """Tells the unit of a model's boxes, and makes them shares."""

    def __init__(self, options: Options, output: Output, size: Size | None) -> None:
        """Decide what can be decided without a frame.

        Args:
            options: which unit. With "auto" it is shares when the input's size is not known; what a
                quantized output can hold tells, of others each frame's numbers.
            output: which output.
            size: of the model's input.

        Raises:
            ModelInvalid: the unit is pixels, and the model takes no picture.
        """
        if options.coordinates == "pixels" and size is None:
            raise ModelInvalid(
                "decode as",
                "detection",
                "boxes in pixels need the size of the input, and the model takes no picture",
                'Set coordinates = "shares", or use another model',
            )
        reach = output.reach()
        self._output = output
        self._size = np.array(size or (1, 1), np.float32)
        self._pixels: bool | None = options.coordinates == "pixels"
        if options.coordinates == "auto" and size is not None:
            self._pixels = None if reach is None else reach > _BEYOND

    def divisor(self, coordinates: Array) -> Array:
        """Give what to divide a frame's boxes by, of which these numbers are some: (height, width)."""
        pixels = self._pixels
        if pixels is None:
            pixels = bool(((coordinates > np.float32(_BEYOND)) & np.isfinite(coordinates)).any())
        return self._size if pixels else np.ones(2, np.float32)


def from_centres(numbers: Array, divisor: Array) -> Array:
    """Turn (N, 4) of centre x, centre y, width and height into ymin, xmin, ymax, xmax as shares: float64."""
    return corners(numbers[:, (1, 0, 3, 2)].astype(np.float64) / np.concatenate((divisor, divisor)))
