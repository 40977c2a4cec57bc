"""The records of a buffered IIO device: Documentation/driver-api/iio/buffers of the kernel. No I/O.

A record holds the channels that are enabled, by their index. Each is aligned to its own size, and the whole
to the largest of them, as iio_compute_scan_bytes has it. What a channel looks like is told as in
``le:s12/16X2>>4``: byte order, sign, bits that count, bits that it takes, how many there are, and how far the
number is shifted to the left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array

_TYPE = re.compile(r"([bl])e:([su])(\d{1,2})/(\d{1,2})(?:X(\d{1,2}))?(?:>>(\d{1,2}))?")
_STORAGES = (8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Element:
    """One channel of a record.

    Attributes:
        index: its place among the channels.
        big: the greatest byte comes first.
        signed: it may be below 0: two's complement.
        bits: that count.
        storage: bits that each number takes.
        repeat: numbers in it.
        shift: how far they are shifted to the left.
    """

    index: int
    big: bool
    signed: bool
    bits: int
    storage: int
    repeat: int = 1
    shift: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self.storage // 8 * self.repeat

    def numbers(self, stored: Array) -> Array:
        """Give the numbers in what was stored, unsigned: int64, or uint64 for 64 bits without a sign."""
        raw = stored.astype(np.uint64) >> np.uint64(self.shift)
        raw &= np.uint64((1 << self.bits) - 1)
        if not self.signed:
            return raw if self.bits == 64 else raw.astype(np.int64)
        unused = np.int64(64 - self.bits)  # the sign goes to the top, and back with all bits before it
        return (raw.view(np.int64) << unused) >> unused


def element(index: int, told: str) -> Element:
    """Read a channel's type.

    Raises:
        ValueError: it is none that is known.
    """
    fit = _TYPE.fullmatch(told)
    if fit is None:
        raise ValueError(f"the type {told[:40]!r} is not known")
    bits, storage, repeat, shift = (
        int(one or default) for one, default in zip(fit.groups()[2:], "1110", strict=True)
    )
    if storage not in _STORAGES or not 1 <= bits <= storage - shift or not 1 <= repeat <= 16:
        raise ValueError(f"the type {told[:40]!r} makes no sense")
    return Element(index, fit[1] == "b", fit[2] == "s", bits, storage, repeat, shift)


class Scan:
    """Takes records apart.

    Args:
        elements: the channels that are enabled, in any order.
    """

    def __init__(self, elements: Sequence[Element]) -> None:
        self._elements = elements
        offsets = [0] * len(elements)
        at = 0
        for place in sorted(range(len(elements)), key=lambda one: elements[one].index):
            at = _aligned(at, elements[place].size)
            offsets[place] = at
            at += elements[place].size
        self.size = _aligned(at, max(one.size for one in elements))
        self._form = np.dtype(
            {
                "names": [str(place) for place in range(len(elements))],
                "formats": [
                    (f"{'>' if one.big else '<'}u{one.storage // 8}", (one.repeat,)) for one in elements
                ],
                "offsets": offsets,
                "itemsize": self.size,
            }
        )

    def numbers(self, records: bytes) -> list[Array]:
        """Give the numbers of each channel, in the order that they were given in: (records, repeat)."""
        held = np.frombuffer(records, self._form)
        return [one.numbers(held[str(place)]) for place, one in enumerate(self._elements)]


def _aligned(at: int, size: int) -> int:
    return -(-at // size) * size
