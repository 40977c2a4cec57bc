"""A lane and what the supervisor keeps beside it."""

from __future__ import annotations

import selectors
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.metering import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.workers.lane import Lane


@dataclass(slots=True)
class Seat:
    """A lane, its meter, and the descriptors that the selector watches for it."""

    lane: Lane
    meter: Meter = field(default_factory=Meter)
    watched: set[int] = field(default_factory=set)

    def watch(self, selector: selectors.BaseSelector, wanted: Mapping[int, Callable[[], None]]) -> None:
        """Keep the selector in step with what is wanted: the handler of each descriptor."""
        for fd in self.watched - wanted.keys():
            selector.unregister(fd)
        for fd in wanted.keys() - self.watched:
            selector.register(fd, selectors.EVENT_READ, wanted[fd])
        self.watched = set(wanted)
