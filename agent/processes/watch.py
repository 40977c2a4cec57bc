"""Keeps a selector in step with the processes that somebody wants to hear of."""

from __future__ import annotations

import selectors
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.processes.child import Child


@dataclass(frozen=True, slots=True)
class Watched:
    """A process, and what is to be called.

    Attributes:
        ended: when it has ended.
        heard: when it has said something, or can say no more; None while it is not listened to.
    """

    process: Child
    ended: Callable[[], None]
    heard: Callable[[], None] | None

    @property
    def handlers(self) -> dict[int, Callable[[], None]]:
        """The handler of each of its descriptors."""
        handlers = {self.process.pidfd: self.ended}
        if self.heard is not None:
            handlers[self.process.channel.fileno()] = self.heard
        return handlers


class Watch:
    """Some of the processes that a selector watches: those of one owner.

    A process that is closed is left at once, before its descriptors can be anybody else's: the next
    process, or a client of the local socket, may get the same numbers in the same turn.

    Args:
        selector: the loop's; its data are callables without arguments.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._watched: dict[Child, set[int]] = {}

    def keep(self, wanted: Iterable[Watched]) -> None:
        """Watch just these."""
        asked = {one.process: one.handlers for one in wanted}
        for process in self._watched.keys() - asked.keys():
            self._leave(process)
        for process, handlers in asked.items():
            process.on_close = partial(self._leave, process)
            watched = self._watched.setdefault(process, set())
            for fd in watched - handlers.keys():
                self._selector.unregister(fd)
                watched.remove(fd)
            for fd in handlers.keys() - watched:
                self._selector.register(fd, selectors.EVENT_READ, handlers[fd])
                watched.add(fd)

    def _leave(self, process: Child) -> None:
        process.on_close = None
        for fd in self._watched.pop(process):
            self._selector.unregister(fd)
