"""Frames that a shared source's reader was never given are captured and dropped, in its ledger and page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import SourceEnded
from agent.ledger import Ledger
from agent.pipeline.capture import Capture
from agent.pipeline.slot import Slot
from agent.types import Frame
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from agent.types import Phase


class Lossy:
    """A recording of which five frames are missed, and two more at its end."""

    live = False

    def __init__(self) -> None:
        self._given = False

    def read(self, _timeout_s: float) -> Frame | None:
        if self._given:
            raise SourceEnded("over", missed=2)
        self._given = True
        return Frame(5, 0, np.zeros((2,), np.float32), missed=5)

    def close(self) -> None:
        """Have nothing to close."""


class Reporter:
    counts: list[int]

    def __init__(self) -> None:
        self.counts = []

    def opened(self, *, live: bool) -> None:
        assert not live

    def lost(self, problem: str) -> None:
        raise AssertionError(problem)

    def refused(self, reason: str, problem: str) -> None:
        raise AssertionError(f"{reason}: {problem}")

    def captured(self, count: int) -> None:
        self.counts.append(count)


def test_what_was_missed_is_counted_as_captured_and_dropped() -> None:
    slot, reporter = Slot(engine()), Reporter()

    def beat(_phase: Phase) -> None:
        """Nobody looks."""

    capture = Capture(
        open_source=lambda _start: Lossy(), slot=slot, reporter=reporter, beat=beat, stop=threading.Event()
    )
    assert capture.run() == "over"
    ledger = slot.ledger()
    assert ledger.balanced
    assert ledger == Ledger(captured=8, dropped={"missed": 7}, failed=ledger.failed, in_flight=1)
    assert reporter.counts == [6, 8]
