"""How long to wait before a lost source is opened again: short at first, doubling, with jitter."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from agent.errors import LoginRefused

if TYPE_CHECKING:
    from agent.errors import SourceLost

_FIRST_S = 0.5
_LONGEST_S = 1.5
"""A source that is back gives frames within 3 s, however long it was away: the other half of that is for the
start of a new worker, where the old one may not open the new node."""

_REFUSED_S = 30.0
"""After a refused login: a device may lock an account that is tried again and again."""


class Reopening:
    """The waits of one source."""

    def __init__(self) -> None:
        self._next_s = _FIRST_S

    def after(self, loss: SourceLost, *, gave: bool) -> float:
        """Give the seconds to wait, when the source was lost.

        Args:
            loss: why.
            gave: whether it had given a frame since it was opened: then the waits begin anew.
        """
        self._next_s = _FIRST_S if gave else min(self._next_s * 2, _LONGEST_S)
        wait_s = _REFUSED_S if isinstance(loss, LoginRefused) else self._next_s
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
