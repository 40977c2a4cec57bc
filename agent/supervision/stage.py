"""Where the agent stands in its life."""

from __future__ import annotations

from enum import Enum, auto


class Stage(Enum):
    """From its start to its end in good order."""

    RUNNING = auto()
    STOPPING_LANES = auto()
    DELIVERING = auto()
    DONE = auto()
