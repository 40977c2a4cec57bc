"""Reads .npy bytes that nobody vouches for: plain numbers only, and no more than the bytes hold.

numpy's own reader evaluates the header as Python and fails in more ways than it documents.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

_DTYPE = re.compile(r"'descr':\s*'([<>|=]?(?:b1|[iu][1248]|f[248]))'")
_ORDER = re.compile(r"'fortran_order':\s*(True|False)")
_SHAPE = re.compile(r"'shape':\s*\(((?:\d{1,9},\s*+){0,32}(?:\d{1,9}\s*+)?)\)")
"""With a comma after all but the last: where it may be missing, digits can be shared out in too many ways."""
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}


def parse_npy(data: bytes) -> Array:
    """Give the array in ``data``, in native byte order and C order, writable.

    Raises:
        ValueError: the bytes are no .npy file, hold no numbers, or end early.
    """
    if data[:6] != b"\x93NUMPY" or len(data) < 12 or data[6] not in _LENGTH_BYTES:
        raise ValueError("it is no .npy file")
    begin = 8 + _LENGTH_BYTES[data[6]]
    end = begin + int.from_bytes(data[8:begin], "little")
    header = data[begin:end].decode("latin-1")
    dtype, order, shape = _DTYPE.search(header), _ORDER.search(header), _SHAPE.search(header)
    if not (dtype and order and shape):
        raise ValueError("its elements are not plain numbers, or its header is damaged")
    sizes = tuple(int(size) for size in re.findall(r"\d+", shape[1]))
    kind = np.dtype(dtype[1])
    count = math.prod(sizes)
    if count == 0:
        raise ValueError("the array is empty")
    if count * kind.itemsize > len(data) - end:
        raise ValueError(f"it is cut short: shape {sizes} needs {count * kind.itemsize} bytes")
    flat = np.frombuffer(data, kind, count, end)
    shaped = flat.reshape(sizes, order="F" if order[1] == "True" else "C")
    return np.array(shaped, kind.newbyteorder("="), order="C")
