"""Image: a picture that the model made of its input, such as one that is denoised, restyled or a depth map.

The model has one output [1, rows, columns, 1 or 3]. ``range`` says which numbers are black and white; what
lies beyond is clipped, and what is not finite is black. The picture is told as PNG in base64, and halved
until that takes no more than ``MAX_BASE64`` characters: a result crosses a socket that takes 64 KiB.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.decoders._fit import garbage, is_number, misfit
from agent.tensors import dequantize
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

MAX_BASE64 = 30_000
"""The most characters of a picture."""
_MOST_PIXELS, _MOST_SIDE = 4 << 20, 1 << 19
"""A PNG of OpenCV has no more than a million rows or columns."""
_WHITE = 255

_Bound = Annotated[float, Field(ge=-1e6, le=1e6)]


class Options(BaseModel):
    """What the numbers mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    range: tuple[_Bound, _Bound] = Field(
        default=(0.0, 1.0), description="which numbers are black and white: [0, 1], [-1, 1], [0, 255]"
    )
    color: Literal["rgb", "bgr"] = Field(default="rgb", description="the order of three channels")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError("the range must rise, as from 0 to 1")
        return self


def build(options: Options, signature: Signature, labels: Labels) -> ImageDecoder:  # noqa: ARG001
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: there is not exactly one output, or it is no picture of 1 or 3 channels.
    """
    outputs = signature.outputs
    if len(outputs) != 1 or not is_number(outputs[0]) or not _is_picture(outputs[0].shape):
        raise misfit("image", "one output [1, rows, columns, 1 or 3], of 4 megapixels at most", outputs)
    return ImageDecoder(options, outputs[0])


def _is_picture(shape: tuple[int, ...]) -> bool:
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3):
        return False
    return 1 <= shape[1] * shape[2] <= _MOST_PIXELS and max(shape) <= _MOST_SIDE


class ImageDecoder:
    """One item: {"size": [rows, columns], "channels", "png", "scaled"}.

    ``size`` is that of the output; the PNG is ``scaled`` times smaller: 1, 2, 4 and so on.
    """

    def __init__(self, options: Options, output: TensorSpec) -> None:
        self._options = options
        self._output = output

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's output.

        Raises:
            InputRejected: no number of it is finite.
        """
        values = dequantize(outputs[0], self._output)[0].astype(np.float64)
        finite = np.isfinite(values)
        if not finite.any():
            problem = f"none of its {values.size} numbers is finite"
            raise garbage(self._output.name, problem)
        low, high = self._options.range
        shares = ((np.where(finite, values, low).clip(low, high)) - low) / (high - low)
        pixels = (shares * _WHITE).round().astype(np.uint8)
        if self._options.color == "rgb":
            pixels = pixels[..., ::-1]  # OpenCV's order
        png, scaled = _written(np.ascontiguousarray(pixels))
        rows, columns, channels = pixels.shape
        item: dict[str, Any] = {"size": [rows, columns], "channels": channels, "png": png, "scaled": scaled}
        return Result("image", (item,))


def _written(pixels: Array) -> tuple[str, int]:
    """Write pixels as PNG in base64, halved until it is short enough; give how many times smaller it is."""
    scaled = 1
    while True:
        rows, columns = (max(1, side // scaled) for side in pixels.shape[:2])
        smaller = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA) if scaled > 1 else pixels
        _, png = cv2.imencode(".png", smaller)
        if -(-png.size // 3) * 4 <= MAX_BASE64:
            return base64.b64encode(png.tobytes()).decode(), scaled
        scaled *= 2
