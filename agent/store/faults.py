"""Which of the store's operations the disk refuses now, and when to try each again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.events import Event, emit
from agent.store.reports import StoreFault, StoreRecovered

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.errors import AgentError
    from agent.store.reports import StoreReport

_FIRST_S = 0.2
_LONGEST_S = 5.0
_STALE_S = 60.0


@dataclass(slots=True)
class _Refusal:
    problem: str
    retry_at: float
    wait_s: float


class Faults:
    """Speaks up when an operation is first refused, or for a new reason, and when none is any more.

    Between them it only counts.

    Args:
        post: takes what is to be said.
    """

    def __init__(self, post: Callable[[StoreReport], None]) -> None:
        self._post = post
        self._refused: dict[str, _Refusal] = {}

    def failed(self, operation: str, error: AgentError, now: float) -> None:
        """Note that the disk refused ``operation`` at ``now``; the next try is put off, ever longer."""
        emit(Event.STORE_FAILED, operation, error=error)
        if (refusal := self._refused.get(operation)) is None:
            self._refused[operation] = _Refusal(error.problem, now + _FIRST_S, _FIRST_S)
            self._post(StoreFault(error))
        else:
            refusal.wait_s = min(2 * refusal.wait_s, _LONGEST_S)
            refusal.retry_at = now + refusal.wait_s
            if error.problem != refusal.problem:
                refusal.problem = error.problem
                self._post(StoreFault(error))

    def worked(self, operation: str) -> None:
        """Note that ``operation`` succeeded."""
        if self._refused.pop(operation, None) is not None and not self._refused:
            emit(Event.STORE_RECOVERED, operation)
            self._post(StoreRecovered())

    def expire(self, operation: str, now: float) -> None:
        """Believe no longer in a refusal that nobody has met for a minute: whoever asked may be gone."""
        refusal = self._refused.get(operation)
        if refusal is not None and now - refusal.retry_at > _STALE_S:
            self.worked(operation)

    def patience(self, operation: str, now: float) -> float:
        """Seconds from ``now`` until ``operation`` should be tried again; 0 when it may be now."""
        refusal = self._refused.get(operation)
        return max(0.0, refusal.retry_at - now) if refusal else 0.0
