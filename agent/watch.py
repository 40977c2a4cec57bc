"""Keeps a selector in step with the descriptors that somebody wants to hear of."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Watch:
    """Some of a selector's descriptors: those of one owner.

    Args:
        selector: the loop's; its data are callables without arguments.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._watched: set[int] = set()

    def keep(self, wanted: Mapping[int, Callable[[], None]]) -> None:
        """Watch just these: the handler of each descriptor. Say so before one of them is closed."""
        for fd in self._watched - wanted.keys():
            self._selector.unregister(fd)
        for fd in wanted.keys() - self._watched:
            self._selector.register(fd, selectors.EVENT_READ, wanted[fd])
        self._watched = set(wanted)
