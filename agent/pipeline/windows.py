"""Turns a window of samples into the input tensor: features, normalisation, then as any array.

Features of another shape than the input's fit it where they are as many and the input is flat, (1, n): they
are laid out row by row.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import InputRejected, ManifestInvalid
from agent.features.tables import MeanStd, MinMax, Zscore
from agent.pipeline import _arrays
from agent.pipeline._features import extractor

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.manifest import Pre
    from agent.types import Array, TensorSpec

_OP = "prepare input"
_MOST_CHANNELS = 256


class WindowPreprocessor:
    """Fills the input tensor of one model from windows.

    Args:
        spec: the model's input.
        pre: what the manifest says of windows.

    Raises:
        ManifestInvalid: no window gives features of the input's shape, or numbers fit none of them.
    """

    def __init__(self, spec: TensorSpec, pre: Pre) -> None:
        self._spec = spec
        self._kind = pre.features.kind if pre.features else ""
        stored = pre.features is not None and pre.normalise is None
        self._extract = extractor(pre.features, spec.dtype if stored else "float32") if pre.features else None
        self._values = math.prod(spec.shape)
        self._normalise = pre.normalise
        if self._extract is not None and not any(map(self._least, range(1, _MOST_CHANNELS + 1))):
            problem = f"no window gives {self._values} values of {self._kind}: the input wants {_named(spec)}"
            raise ManifestInvalid(_OP, spec.name, problem, "Change pre.features")
        self._known: tuple[int, ...] = ()
        self._apply: Callable[[Array], Array] = lambda values: values

    def fill(self, data: Array, into: Array) -> None:
        """Write the window ``data`` into ``into``.

        Args:
            data: float (samples, channels), or (samples) of one channel.
            into: a C-contiguous array of the input's shape and type.

        Raises:
            InputRejected: no window, or one whose features do not fit the input.
        """
        if data.ndim not in (1, 2) or data.dtype.kind != "f" or not data.size:
            problem = f"it takes windows, float (samples, channels), and got {data.dtype} {list(data.shape)}"
            raise InputRejected(_OP, self._spec.name, problem, "Name a source of windows, or remove pre")
        with np.errstate(over="ignore"):  # what overflows is infinite, and rejected below
            window = data.reshape(len(data), -1).astype(np.float32, copy=False)
        if window.shape != self._known:
            self._fit(window)
        self._check_finite(window)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of that is rejected, or saturates
            made = self._apply(window if self._extract is None else self._extract(window))
        _arrays.fill(made.reshape(self._spec.shape), into, self._spec)

    def _check_finite(self, window: Array) -> None:
        """Refuse what would spread over all features, or vanish in them."""
        if bad := window.size - int(np.count_nonzero(np.isfinite(window))):
            problem = f"{bad} of {window.size} numbers are NaN or infinite"
            raise InputRejected(_OP, self._spec.name, problem, "Check the sensor or the file")

    def _fit(self, window: Array) -> None:
        """See whether windows of this shape fit, before anything is computed."""
        samples, channels = window.shape
        try:
            shape = (samples, channels) if self._extract is None else self._extract.shape(samples, channels)
        except ValueError as error:
            raise self._rejected(f"{self._kind}: {error}", channels) from error
        if not _fits(shape, self._spec.shape):
            what = f"{self._kind} of a window {[samples, channels]} gives" if self._kind else "a window is"
            raise self._rejected(f"{what} {list(shape)}, and the input wants {_named(self._spec)}", channels)
        if self._normalise is not None:
            self._apply = _normaliser(self._normalise, shape, self._spec.name)
        self._known = window.shape

    def _rejected(self, problem: str, channels: int) -> InputRejected:
        least = self._least(channels)
        hint = f"Set the source's window to {least}" if least else "Change the source's window or channels"
        return InputRejected(_OP, self._spec.name, problem, hint)

    def _least(self, channels: int) -> int | None:
        return None if self._extract is None else self._extract.least(self._values, channels)


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    made, asked = ([size for size in one if size != 1] for one in (shape, wanted))
    return made == asked or (len(asked) <= 1 and math.prod(made) == math.prod(asked))


def _named(spec: TensorSpec) -> str:
    return f"{spec.dtype} {list(spec.shape)}"


def _normaliser(
    told: MeanStd | Zscore | MinMax, shape: tuple[int, ...], name: str
) -> Callable[[Array], Array]:
    """Give what normalises values of that shape.

    Raises:
        InputRejected: ``mean`` or ``std`` are of another number than the values or their columns.
    """
    match told:
        case MeanStd():
            mean, std = (_numbers(key, getattr(told, key), shape, name) for key in ("mean", "std"))
            return lambda values: (values - mean) / std
        case Zscore():
            return lambda values: _zscore(np.asarray(values, np.float64), _axes(told.over, shape))
        case MinMax():
            return lambda values: _min_max(np.asarray(values, np.float64), _axes(told.over, shape), told)


def _numbers(key: str, given: tuple[float, ...], shape: tuple[int, ...], name: str) -> Array:
    numbers = np.array(given)
    if len(given) == math.prod(shape):
        return numbers.reshape(shape)
    if len(given) in (1, shape[-1]):
        return numbers
    problem = f"pre.normalise: {key} has {len(given)} numbers for values of shape {list(shape)}"
    hint = f"Give one, {shape[-1]}, or {math.prod(shape)}"
    raise InputRejected(_OP, name, problem, hint)


def _axes(over: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(len(shape) - (over == "channel")))


def _zscore(values: Array, axes: tuple[int, ...]) -> Array:
    off = values - values.mean(axis=axes, keepdims=True)
    spread = values.std(axis=axes, keepdims=True)
    largest = np.abs(values).max(axis=axes, keepdims=True)
    varies = spread > 1e-12 * largest  # else rounding alone
    scaled: Array = np.where(varies, off / np.where(varies, spread, 1.0), 0.0)
    return scaled


def _min_max(values: Array, axes: tuple[int, ...], told: MinMax) -> Array:
    least = values.min(axis=axes, keepdims=True)
    extent = values.max(axis=axes, keepdims=True) - least
    share = (values - least) / np.where(extent > 0, extent, 1.0)
    scaled: Array = told.low + share * (told.high - told.low)
    return scaled
