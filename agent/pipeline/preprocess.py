"""Turns a frame into the model's input tensor, in a buffer that the caller gives.

A picture, or a region of it, is brought to the input's size as ``agent.imaging.placing`` says, then its
channels are brought into the model's order, then each pixel is replaced by what the input's type and the
manifest make of it (see ``tensors.pixel_table``). A window of samples goes through the features and the
normalisation that the manifest names (see ``windows``). Anything else is taken as the tensor itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.errors import InputRejected, ManifestInvalid
from agent.imaging.placing import Pixels, place
from agent.manifest import Pre
from agent.pipeline import _arrays
from agent.tensors import PIXELS, pixel_table
from agent.types import WHOLE

if TYPE_CHECKING:
    from agent.pipeline.windows import WindowPreprocessor
    from agent.types import Array, Box, Frame, TensorSpec

_CHANNELS = {1: "gray", 3: "bgr", 4: "bgra"}
_CONVERSIONS = {
    ("gray", "rgb"): cv2.COLOR_GRAY2RGB,
    ("gray", "bgr"): cv2.COLOR_GRAY2BGR,
    ("bgr", "gray"): cv2.COLOR_BGR2GRAY,
    ("bgr", "rgb"): cv2.COLOR_BGR2RGB,
    ("bgra", "gray"): cv2.COLOR_BGRA2GRAY,
    ("bgra", "rgb"): cv2.COLOR_BGRA2RGB,
    ("bgra", "bgr"): cv2.COLOR_BGRA2BGR,
}
_INTERPOLATIONS = {
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "nearest": cv2.INTER_NEAREST,
    "cubic": cv2.INTER_CUBIC,
}
_LUT_TYPES = ("uint8", "int8", "uint16", "int16", "int32", "float16", "float32", "float64")


class Preprocessor:
    """Fills the input tensor of one model. It owns scratch buffers: one thread at a time may use it.

    Args:
        spec: the model's input.
        pre: what the manifest says of pictures, or of windows.

    Raises:
        ManifestInvalid: ``pre`` does not fit the input.
        ModelInvalid: ``pre.mean`` or ``pre.std`` does not fit the input's channels.
    """

    def __init__(self, spec: TensorSpec, pre: Pre) -> None:
        self._spec = spec
        self._dtype = np.dtype(spec.dtype)
        self._window = _windows(spec, pre) if pre.of_windows else None
        self._picture = _Picture(spec, pre) if self._window is None and takes_pictures(spec) else None
        if self._picture is None and self._window is None and pre != Pre():
            problem = f"the manifest has a pre for pictures, but {spec.dtype} {list(spec.shape)} takes none"
            raise ManifestInvalid("prepare input", spec.name, problem, "Remove pre from the manifest")

    def __call__(self, frame: Frame, into: Array, region: Box = WHOLE) -> None:
        """Write ``frame.data``, or a region of it, into ``into``.

        Args:
            frame: its data is a picture, uint8 of shape (height, width), (height, width, 3) in BGR or
                (height, width, 4) in BGRA, where the input is (1, height, width, 1 or 3). It is a window,
                float (samples, channels), where ``pre`` is of windows. Else it is the tensor itself: the
                shape may leave out dimensions of one; float numbers are quantized for quantized inputs;
                integers must have the input's very type, and are stored as they are.
            into: a C-contiguous array of the input's shape and type.
            region: the part of a picture that the model is shown; it is not copied.

        Raises:
            InputRejected: the data does not fit the input, or holds NaN or infinite numbers; or a region is
                asked for of what is no picture.
        """
        if into.shape != self._spec.shape or into.dtype != self._dtype or not into.flags.c_contiguous:
            raise ValueError(f"the buffer is no contiguous {self._spec.dtype} {list(self._spec.shape)}")
        data = frame.data
        if self._picture is not None and data.dtype == np.uint8 and data.ndim in (2, 3) and data.size:
            self._picture.fill(data, into, region)
        elif region != WHOLE:
            problem = f"there is no region of {data.dtype} {list(data.shape)}"
            raise InputRejected("prepare input", self._spec.name, problem, "Ask for regions of pictures only")
        elif self._window is not None:
            self._window.fill(data, into)
        else:
            _arrays.fill(data, into, self._spec)


class _Picture:
    """The way of a picture into one input tensor."""

    def __init__(self, spec: TensorSpec, pre: Pre) -> None:
        _, self._height, self._width, self._channels = spec.shape
        if self._channels != 1 and pre.color == "gray":
            problem = f"pre.color is gray, but the input has {self._channels} channels"
            raise ManifestInvalid("prepare input", spec.name, problem, "Name rgb or bgr")
        self._color = "gray" if self._channels == 1 else pre.color
        self._name = spec.name
        self._resize, self._pad = pre.resize, pre.pad or 0
        self._is_plain = pre.resize == "stretch"
        self._interpolation = _INTERPOLATIONS[pre.interpolation]
        table = pixel_table(spec, pre.mean, pre.std)
        self._table = None if _is_shift(table, 0) else np.ascontiguousarray(table.reshape(1, PIXELS, -1))
        self._flips_sign = _is_shift(table, -128)
        self._pixels = np.empty((self._height, self._width, self._channels), np.uint8)
        self._resized: dict[int, Array] = {}

    def fill(self, data: Array, into: Array, region: Box) -> None:
        """Write a region of the picture ``data`` into ``into``."""
        plane = into[0]
        if self._table is None:
            self._draw(data, plane, region)
        elif self._flips_sign:
            self._draw(data, self._pixels, region)
            np.bitwise_xor(self._pixels, 0x80, out=plane.view(np.uint8))  # x - 128, in int8
        else:
            self._draw(data, self._pixels, region)
            cv2.LUT(_flat(self._pixels), self._table, dst=_flat(plane))

    def _draw(self, data: Array, pixels: Array, region: Box) -> None:
        """Bring a region of ``data`` to the input's size and channels, as uint8."""
        if not self._is_plain or (region is not WHOLE and region != WHOLE):
            placing = place(data.shape[:2], (self._height, self._width), self._resize, region)
            top, left, bottom, right = placing.taken
            data = data[top:bottom, left:right]
            pixels = self._padded(pixels, placing.into)
        channels = data.shape[2] if data.ndim == 3 else 1
        color = _CHANNELS.get(channels)
        if color is None:
            problem = f"a picture of {channels} channels has no known colours"
            raise InputRejected("prepare input", self._name, problem, "Give gray, BGR or BGRA")
        target = _flat(pixels)
        source = _flat(data) if data.ndim == 3 else data
        conversion = _CONVERSIONS.get((color, self._color))
        height, width = pixels.shape[:2]
        if data.shape[0] != height or data.shape[1] != width:
            resized = target if conversion is None else self._scratch(channels, height, width)
            source = cv2.resize(source, (width, height), dst=resized, interpolation=self._interpolation)
        elif conversion is None:
            np.copyto(target, source)
        if conversion is not None:
            cv2.cvtColor(source, conversion, dst=target)

    def _padded(self, pixels: Array, into: Pixels) -> Array:
        """Fill the bars around ``into``; give what lies between them, a view."""
        top, left, bottom, right = into
        pixels[:top] = pixels[bottom:] = self._pad
        pixels[top:bottom, :left] = pixels[top:bottom, right:] = self._pad
        return pixels[top:bottom, left:right]

    def _scratch(self, channels: int, height: int, width: int) -> Array:
        if channels not in self._resized:
            self._resized[channels] = _flat(np.empty((self._height, self._width, channels), np.uint8))
        whole = self._resized[channels]
        return whole if (height, width) == (self._height, self._width) else whole[:height, :width]


def takes_pictures(spec: TensorSpec) -> bool:
    """Whether a picture can fill the input: one of 1 or 3 channels, of a type that says what a pixel is."""
    if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[3] not in (1, 3):
        return False
    # 16-bit integers without parameters do not say what a pixel is.
    return spec.dtype in _LUT_TYPES and (spec.dtype not in ("uint16", "int16") or len(spec.scale) == 1)


def _is_shift(table: Array, by: int) -> bool:
    """Whether the table stores a pixel x as x + ``by`` in a byte."""
    wanted = np.arange(PIXELS) + by
    return table.dtype.itemsize == 1 and bool((table == wanted[:, np.newaxis]).all())


def _flat(pixels: Array) -> Array:
    """Give a view of a picture as cv2 has it: without the last dimension when that is one."""
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _windows(spec: TensorSpec, pre: Pre) -> WindowPreprocessor:
    from agent.pipeline.windows import WindowPreprocessor  # with all features, which pictures don't need

    return WindowPreprocessor(spec, pre)
