"""What the bytes of CAN messages mean. No I/O.

Bits are numbered as in DBC files: bit 0 is the lowest of byte 0, bit 8 the lowest of byte 1. A signal in
little order ("Intel") starts with its lowest bit and goes up; one in big order ("Motorola") starts with its
highest bit, goes down in that byte, and on at the highest bit of the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.sources.fieldbus.tables import Signal

Id = tuple[int, bool]
"""A message's number, and whether it is one of 29 bits."""


@dataclass(frozen=True, slots=True)
class Message:
    """What was on the bus: its number, its data, and when it came, CLOCK_MONOTONIC in nanoseconds."""

    id: Id
    data: bytes
    at_ns: int


def shown(one: Id) -> str:
    """How errors name a message."""
    return f"message {one[0]:#0{10 if one[1] else 5}x}"


def raw(data: bytes, start: int, length: int, *, big: bool, signed: bool) -> int:
    """Take a number out of a message's data.

    Args:
        data: must reach as far as ``end`` says.
        start: of the signal, in the numbering of DBC files.
        length: bits.
        big: the order: Motorola's, or else Intel's.
        signed: in two's complement.
    """
    if big:
        first = start - start % 8 + 7 - start % 8  # counted from the highest bit of byte 0
        found = int.from_bytes(data, "big") >> (8 * len(data) - first - length)
    else:
        found = int.from_bytes(data, "little") >> start
    found &= (1 << length) - 1
    return found - (1 << length) if signed and found >> (length - 1) else found


def end(start: int, length: int, *, big: bool) -> int:
    """Give how many bytes a message must have to hold a signal."""
    first = start - start % 8 + 7 - start % 8 if big else start
    return (first + length + 7) // 8


@dataclass(slots=True)
class _Held:
    """The last values of one message."""

    signals: list[tuple[int, Signal]]
    since_ns: int
    size: int
    known: bool = field(default=False)


class Signals:
    """Holds the last value of each signal: each message that has some makes a sample of all.

    Args:
        signals: the channels, in this order.
        hold_s: how long a value counts, seconds.
        now_ns: when the bus was opened, CLOCK_MONOTONIC in nanoseconds.
    """

    def __init__(self, signals: Sequence[Signal], hold_s: float, now_ns: int) -> None:
        self._hold_ns = round(hold_s * 1e9)
        self._values = [math.nan] * len(signals)
        self._held: dict[Id, _Held] = {}
        for at, one in enumerate(signals):
            held = self._held.setdefault((one.id, one.extended), _Held([], now_ns, 0))
            held.signals.append((at, one))
            held.size = max(held.size, end(one.start, one.length, big=one.order == "big"))

    @property
    def ids(self) -> list[Id]:
        """The messages that are wanted."""
        return [*self._held]

    def take(self, message: Message) -> tuple[float, ...] | str | None:
        """Give a sample, why there is none, or None while some signals have not been seen yet."""
        held = self._held.get(message.id)
        if held is None:
            return None
        if len(message.data) < held.size:
            return f"{shown(message.id)} has {len(message.data)} bytes, and its signals need {held.size}"
        for at, one in held.signals:
            number = raw(message.data, one.start, one.length, big=one.order == "big", signed=one.signed)
            self._values[at] = number * one.scale + one.offset
        held.since_ns, held.known = message.at_ns, True
        for name, other in self._held.items():
            if message.at_ns - other.since_ns > self._hold_ns:
                return f"no {shown(name)} for {(message.at_ns - other.since_ns) / 1e9:.1f} s"
        return tuple(self._values) if all(other.known for other in self._held.values()) else None
