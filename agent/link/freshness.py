"""Live results that cannot be sent in time become backlog, so that what happens now goes first again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.blocks import Position
    from agent.link.lane import Lane

_BEHIND_S = 3.0
"""A live result that has waited so long to be sent is not live any more."""


class Freshness:
    """Moves the place where the live results begin.

    Args:
        live: the lane of live results.
        backlog: the lane of those before them.
    """

    def __init__(self, live: Lane, backlog: Lane) -> None:
        self._live = live
        self._backlog = backlog
        self._mark: Position | None = None
        self._since = 0.0

    def keep(self, committed: Position | None, now: float) -> None:
        """Begin the live lane anew after ``committed``, the newest record, when it has fallen behind.

        What is on its way stays on its way; what lies between is the backlog's.
        """
        if committed is None or not self._live.active:
            self._mark = None
            return
        place = self._live.cursor
        mark = self._mark
        behind = mark is not None and place is not None and place.epoch == mark.epoch and place.seq < mark.seq
        if behind and now - self._since < _BEHIND_S:
            return
        if behind and place is not None:
            if self._backlog.drained(now):
                self._backlog.begin = place
            self._live.jump(committed)
            self._backlog.dry_until = min(self._backlog.dry_until, now)
        self._mark, self._since = committed, now
