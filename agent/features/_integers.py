"""Arithmetic of signal processors: Fourier transform, square root and logarithm of integers.

All round where TensorFlow Lite Micro rounds. The transform is that of kiss_fft with 16-bit numbers: each
stage divides by its radix, so that nothing overflows, and rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

_BITS = 15
_ONE = (1 << _BITS) - 1
_LOG_BITS, _SEGMENT_BITS = 16, 7
_LN_2 = round(np.log(2) * 2**_LOG_BITS)
_POINTS, _HALF = 256, 128
_STAGES = 4


def power(samples: Array) -> Array:
    """Give the squared magnitudes of the Fourier transform, divided by 512.

    Args:
        samples: int64 (frames, 512), each of 16 bits.

    Returns:
        int64 (frames, 257).
    """
    numbers = samples.astype(np.int32)  # products of 16 and 15 bits, two of them added, fit
    whole = _divided(_complex(np.stack([numbers[:, 0::2], numbers[:, 1::2]])), 2)
    # Even samples were the real parts, odd ones the imaginary: their transforms are told apart again.
    ones, others = whole[..., 1 : _HALF + 1], whole[..., : _HALF - 1 : -1] * _CONJUGATE
    even, odd = ones + others, _turned(ones - others, _UNFOLD)
    spectrum = np.zeros((2, len(samples), _POINTS + 1), np.int64)
    spectrum[..., 1 : _HALF + 1] = (even + odd) >> 1
    spectrum[0, :, -2 : _HALF - 1 : -1] = (even - odd)[
        0
    ] >> 1  # rounded down on their way, in the original, too
    spectrum[1, :, -2 : _HALF - 1 : -1] = (odd - even)[1] >> 1
    spectrum[0, :, 0], spectrum[0, :, -1] = whole[0, :, 0] + whole[1, :, 0], whole[0, :, 0] - whole[1, :, 0]
    squares: Array = (spectrum * spectrum).sum(axis=0)
    return squares


def _complex(parts: Array) -> Array:
    """Transform 256 complex numbers a frame, (2, frames, 256), in four stages of radix 4."""
    frames = parts.shape[1]
    stage = parts[..., _REVERSED]
    for number in range(_STAGES):
        width = 4**number
        blocks = _divided(stage.reshape(2, frames, -1, 4, width), 4)
        first, *others = (blocks[..., one, :] for one in range(4))
        one, two, three = (_turned(part, turn) for part, turn in zip(others, _TURNS[number], strict=True))
        total, rest = first + two, first - two
        both, off = one + three, (one - three)[::-1] * _CONJUGATE[..., np.newaxis]
        joined = np.empty_like(blocks)
        joined[..., 0, :], joined[..., 1, :] = total + both, rest + off
        joined[..., 2, :], joined[..., 3, :] = total - both, rest - off
        stage = joined.reshape(parts.shape)
    return stage


def _rounded(products: Array) -> Array:
    rounded: Array = (products + (1 << (_BITS - 1))) >> _BITS
    return rounded


def _divided(parts: Array, by: int) -> Array:
    return _rounded(parts * (_ONE // by))


def _turned(parts: Array, turns: Array) -> Array:
    """Multiply by complex numbers of size 1: real and imaginary parts along the first dimension."""
    (real, imaginary), (cosine, sine) = parts, turns
    turned = np.empty_like(parts)
    turned[0] = _rounded(real * cosine - imaginary * sine)
    turned[1] = _rounded(real * sine + imaginary * cosine)
    return turned


def _turns(angles: Array) -> Array:
    """Give cosines and sines, of 15 fractional bits: int32 (2, n)."""
    turns: Array = np.floor(0.5 + _ONE * np.stack([np.cos(angles), np.sin(angles)]))
    return turns.astype(np.int32)


def _digits_reversed() -> Array:
    """Give the order in which numbers enter the first stage: the digits of base 4 turned round."""
    order = np.arange(_POINTS).reshape([4] * _STAGES)
    return order.transpose().ravel()


def roots(squares: Array) -> Array:
    """Give square roots, rounded to the nearest: int64; exact below 2^52."""
    whole = np.floor(np.sqrt(squares)).astype(np.int64)
    nearest: Array = whole + (squares - whole * whole > whole)
    return nearest


def widths(numbers: Array) -> Array:
    """Give how many bits each number has, 0 for 0: int64."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64)


def logarithms(numbers: Array, scale: int) -> Array:
    """Give natural logarithms times ``scale``, rounded: int64; 0 for what is below 2.

    An octave is 128 straight segments.
    """
    whole = np.maximum(widths(numbers) - 1, 0)
    rest = numbers - (1 << whole)
    rest = np.where(
        whole < _LOG_BITS, rest << np.maximum(0, _LOG_BITS - whole), rest >> np.maximum(0, whole - _LOG_BITS)
    )
    segment = np.clip(rest >> (_LOG_BITS - _SEGMENT_BITS), 0, (1 << _SEGMENT_BITS) - 1)
    into = rest - (segment << (_LOG_BITS - _SEGMENT_BITS))
    bulge = _BULGE[segment] + ((_BULGE[segment + 1] - _BULGE[segment]) * into >> _LOG_BITS)
    half = 1 << (_LOG_BITS - 1)
    natural = (_LN_2 * ((whole << _LOG_BITS) + rest + bulge) + half) >> _LOG_BITS
    scaled: Array = (scale * natural + half) >> _LOG_BITS
    return np.where(numbers > 1, scaled, 0)


_CONJUGATE = np.array([1, -1], np.int32).reshape(2, 1, 1)
_REVERSED = _digits_reversed()
_TURNS = [
    [_turns(-2 * np.pi * np.arange(4**stage) * one / 4 ** (stage + 1)) for one in (1, 2, 3)]
    for stage in range(_STAGES)
]
_UNFOLD = _turns(-np.pi * (np.arange(1, _HALF + 1) / _POINTS + 0.5))
_SHARES = np.arange((1 << _SEGMENT_BITS) + 1) / (1 << _SEGMENT_BITS)
_BULGE = np.rint((np.log2(1 + _SHARES) - _SHARES) * 2**_LOG_BITS).astype(np.int64)
"""By how much the logarithm to base 2 is above the straight line from one octave to the next."""
