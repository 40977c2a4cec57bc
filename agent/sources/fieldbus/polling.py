"""Asks a Modbus unit for its registers, again and again, and never waits longer than asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from agent.errors import SourceLost
from agent.sources._pace import Pace
from agent.sources.fieldbus.registers import NoAnswer

if TYPE_CHECKING:
    from agent.sources.fieldbus.registers import Plan
    from agent.types import Array


class Wire(Protocol):
    """A way to one unit; one request at a time."""

    @property
    def name(self) -> str:
        """What errors call the unit."""

    def ask(self, pdu: bytes) -> None:
        """Begin with a request; the one before it is given up."""

    def answer(self, deadline: float) -> bytes | str | None:
        """Give the answer's bytes, why they are none, or None when it did not come in time."""

    def close(self) -> None:
        """Release it. Idempotent."""


class Polling:
    """Implements ``Feed``. A sample is all registers, dated midway from first question to last answer.

    Args:
        wire: the way to the unit; closed with this.
        plan: what is asked.
        rate: samples a second.
        timeout_s: the longest that an answer may take, seconds.
    """

    def __init__(self, wire: Wire, plan: Plan, rate: float, timeout_s: float) -> None:
        self._wire = wire
        self._plan = plan
        self._timeout_s = timeout_s
        self._pace = Pace(1 / rate)
        self._answers: list[bytes] | None = None
        self._began_ns = 0
        self._due = 0.0

    @property
    def name(self) -> str:
        """The way to the unit, and its number."""
        return self._wire.name

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Go on asking, when that is due; give a sample once all is answered.

        Raises:
            SourceLost: the way is broken, or the unit does not have what is asked for.
        """
        deadline = time.monotonic() + timeout_s
        if self._answers is None:
            if not self._pace.wait(timeout_s):
                return []
            self._answers, self._began_ns = [], time.monotonic_ns()
            self._ask(0)
        while len(self._answers) < len(self._plan.requests):
            found = self._wire.answer(min(deadline, self._due))
            if found is None and time.monotonic() < self._due:
                return []
            try:
                self._answers.append(self._data(len(self._answers), found))
            except NoAnswer as error:
                self._answers = None
                if error.lasting:
                    raise self._lost(str(error)) from error
                return [str(error)]
            if len(self._answers) < len(self._plan.requests):
                self._ask(len(self._answers))
        values = self._plan.values(self._answers)
        self._answers = None
        return [(np.array([(self._began_ns + time.monotonic_ns()) // 2]), np.array([values]))]

    def close(self) -> None:
        """Close the way to the unit. Idempotent."""
        self._wire.close()

    def _ask(self, number: int) -> None:
        self._due = time.monotonic() + self._timeout_s
        self._wire.ask(self._plan.requests[number].pdu)

    def _data(self, number: int, found: bytes | str | None) -> bytes:
        """Give the bytes that answer a request.

        Raises:
            NoAnswer: they do not.
        """
        request = self._plan.requests[number]
        if isinstance(found, bytes):
            return request.data(found)
        raise NoAnswer(f"{request.shown}: {found or f'no answer within {self._timeout_s:g} s'}")

    def _lost(self, problem: str) -> SourceLost:
        hint = "Correct kind, address or type in registers: addresses count from 0, so 40001 is holding 0"
        return SourceLost("read registers", self.name, problem, hint)
