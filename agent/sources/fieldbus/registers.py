"""Which Modbus requests read a list of values, and what the answers mean. No I/O.

The MODBUS Application Protocol Specification V1.1b3, sections 6.1 to 6.4 and 7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.sources.fieldbus.tables import Register

FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_BITS = ("coil", "discrete")
_MOST_BITS, _MOST_REGISTERS = 2000, 125
"""What one request may ask for."""
_FORMS = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
_EXCEPTIONS = {
    1: "it does not know this function",
    2: "it has no such address",
    3: "it does not give so many at once",
    4: "it has failed",
    5: "it needs more time",
    6: "it is busy",
    8: "its memory is damaged",
    10: "the gateway has no way to it",
    11: "it does not answer the gateway",
}
_LASTING = (1, 2, 3)


class NoAnswer(Exception):
    """What came is not what was asked for.

    Attributes:
        lasting: asking again will not help.
    """

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Request:
    """Values of one kind that lie side by side.

    Attributes:
        kind: coil, discrete, holding or input.
        first: their first address, from 0.
        count: of bits or registers.
    """

    kind: str
    first: int
    count: int

    @property
    def shown(self) -> str:
        """How errors name it."""
        name = self.kind if self.kind in _BITS else f"{self.kind} register"
        last = self.first + self.count - 1
        return f"{name} {self.first:#x}" + (f" to {last:#x}" if self.count > 1 else "")

    @property
    def pdu(self) -> bytes:
        """What is sent, without a frame."""
        return struct.pack(">BHH", FUNCTIONS[self.kind], self.first, self.count)

    def data(self, pdu: bytes) -> bytes:
        """Give the values' bytes in an answer.

        Args:
            pdu: what came, without its frame.

        Raises:
            NoAnswer: it answers something else, or says why there is no answer.
        """
        function = FUNCTIONS[self.kind]
        if len(pdu) == 2 and pdu[0] == function | 0x80:
            reason = _EXCEPTIONS.get(pdu[1], "it refuses")
            raise NoAnswer(f"{self.shown}: {reason} (exception {pdu[1]})", lasting=pdu[1] in _LASTING)
        size = (self.count + 7) // 8 if self.kind in _BITS else 2 * self.count
        if pdu[:2] != bytes([function, size]) or len(pdu) != 2 + size:
            raise NoAnswer(f"{self.shown}: it answers something else, {pdu[:12].hex(' ') or 'nothing'}")
        return pdu[2:]


def requests(registers: Iterable[Register]) -> list[Request]:
    """Find the fewest requests that read all values and nothing that nobody asked for."""
    found: list[Request] = []
    for one in sorted(registers, key=lambda register: (FUNCTIONS[register.kind], register.address)):
        most = _MOST_BITS if one.kind in _BITS else _MOST_REGISTERS
        end = one.address + words(one)
        last = found[-1] if found else None
        if last and last.kind == one.kind and one.address <= last.first + last.count:
            count = max(last.count, end - last.first)
            if count <= most:
                found[-1] = Request(last.kind, last.first, count)
                continue
        found.append(Request(one.kind, one.address, words(one)))
    return found


def words(register: Register) -> int:
    """Give how many registers, or bits, a value takes."""
    return 1 if register.kind in _BITS else struct.calcsize(_FORMS[register.type]) // 2


class Plan:
    """What is asked, and where each value lies in the answers.

    Args:
        registers: what is read, in this order.
    """

    def __init__(self, registers: Sequence[Register]) -> None:
        self.requests = requests(registers)
        self._places = [(one, self._holds(one)) for one in registers]

    def _holds(self, register: Register) -> int:
        end = register.address + words(register)
        return next(
            at
            for at, one in enumerate(self.requests)
            if one.kind == register.kind and one.first <= register.address and end <= one.first + one.count
        )

    def values(self, answers: Sequence[bytes]) -> tuple[float, ...]:
        """Give the values, scaled, in the order of the registers.

        Args:
            answers: the data that answers each request.
        """
        return tuple(
            _number(one, answers[at], one.address - self.requests[at].first) * one.scale + one.offset
            for one, at in self._places
        )


def _number(register: Register, data: bytes, at: int) -> float:
    if register.kind in _BITS:  # the first of eight is the lowest bit
        return float(data[at // 8] >> at % 8 & 1)
    held = data[2 * at : 2 * (at + words(register))]
    if register.word_order == "little":  # words change places, the bytes of each do not
        held = b"".join(held[word : word + 2] for word in range(len(held) - 2, -1, -2))
    return float(struct.unpack(_FORMS[register.type], held)[0])
