"""What the device is, as far as an operator chooses by it: facts that cost nothing; nothing is tried."""

from __future__ import annotations

import os
import platform
import shutil
from typing import TYPE_CHECKING

from agent.boards.machine import cores, processor
from agent.documents.reported import Board
from agent.events import Event, emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.activation.seams import Lane
    from agent.plan import Plan

_LOOK_S = 3600.0
_COARSE_MB = 64
"""Free space changes all the time: it is told in steps, so that a report is not new for its sake."""
_MOST = 32


class BoardFacts:
    """Knows them, and looks at the disk again every hour.

    Args:
        plan: names the profile, and where models lie.
        lanes: their workers say which runtime they have.
    """

    def __init__(self, plan: Plan, lanes: Sequence[Lane]) -> None:
        self._plan, self._lanes = plan, lanes
        self._look_at = 0.0
        profile = plan.profile
        ram_mb = (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) >> 20
        self._board = Board(
            profile=profile.name[:64],
            tested=profile.tested,
            machine=f"{platform.machine()}, {processor()}"[:64],
            cores=cores(),
            ram_mb=ram_mb,
            budget_mb=profile.memory.budget(ram_mb),
            delegates=tuple(one.title[:100] for one in profile.delegates[:_MOST]),
        )

    def told(self, now: float) -> Board:
        """Give them; ``now`` in seconds of the monotonic clock."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            self._board = self._board.model_copy(update={"disk_mb": self._free_mb()})
        runtime = next((lane.ready.runtime for lane in self._lanes if lane.ready), self._board.runtime)
        if runtime != self._board.runtime:
            self._board = self._board.model_copy(update={"runtime": runtime[:100]})
        return self._board

    def _free_mb(self) -> int:
        folder = self._plan.data
        try:
            free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
        except OSError as error:  # a disk that fails: what was known stays, and is looked at again
            emit(Event.STORE_FAILED, str(folder), problem=error)
            return self._board.disk_mb
        room = min(free, self._plan.settings.models.max_bytes) >> 20
        return room // _COARSE_MB * _COARSE_MB
