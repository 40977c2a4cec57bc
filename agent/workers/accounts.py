"""A pipeline's frame ledger over all lives of its worker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.ledger import Ledger

if TYPE_CHECKING:
    from agent.workers.run import Run

_POISON_RUNS = 2
"""A frame of a recording is given up when so many runs in a row died before they settled it."""
_MOST_UNTOLD = 1 << 32
"""Frames that a worker can have captured since its last message; a page that says more is written over."""


class Accounts:
    """Closes the account of each worker that has ended.

    Attributes:
        closed: that of all of them together.
    """

    def __init__(self) -> None:
        self.closed = Ledger()
        self._idle_deaths = 0

    def close(self, run: Run) -> Ledger:
        """Add the account of a worker that has ended; give it."""
        account = self._settled(run)
        self.closed = self.closed + account
        return account

    def _settled(self, run: Run) -> Ledger:
        if run.live is False:  # the next run reads again what this one had not settled
            closed = replace(run.ledger, captured=run.ledger.settled, in_flight=0)
            idle = not (closed.captured or run.ended or run.dismissed)
            self._idle_deaths = self._idle_deaths + 1 if idle else 0
            if self._idle_deaths >= _POISON_RUNS:
                self._idle_deaths = 0
                closed += Ledger(captured=1, lost=1)
            return closed
        captured = run.process.page.captured
        return run.ledger.closed_by_crash(captured if captured - run.ledger.captured < _MOST_UNTOLD else 0)
