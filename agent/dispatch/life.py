"""The life of a command on the device, as a table. Pure."""

from __future__ import annotations

from enum import Enum


class Stand(Enum):
    """Where a command stands; the values are those of its row."""

    WAITING = "waiting"
    RUNNING = "running"
    SETTLED = "settled"


class Turn(Enum):
    """What happens to a command."""

    BEGIN = "begin"
    END = "end"
    LEAVE = "leave"
    DIE = "die"
    REFUSE = "refuse"
    GIVE_UP = "give_up"


TABLE = {
    (Stand.WAITING, Turn.BEGIN): Stand.RUNNING,
    (Stand.WAITING, Turn.REFUSE): Stand.SETTLED,
    (Stand.RUNNING, Turn.END): Stand.SETTLED,
    (Stand.RUNNING, Turn.LEAVE): Stand.WAITING,
    (Stand.RUNNING, Turn.DIE): Stand.WAITING,
    (Stand.RUNNING, Turn.GIVE_UP): Stand.SETTLED,
}
MOST_CRASHES = 2
"""Begun so often without an end, it is not begun again."""
