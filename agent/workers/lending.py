"""Takes what the supervisor lends, from the first moment on; who uses it may come later."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.boards.accelerators import Lend


class Taker(Protocol):
    """Who uses it."""

    def lend(self, terms: Lend, fd: int) -> None:
        """Use this connection, which is its own from now on, in place of all before it."""

    def relieve(self, generation: int) -> None:
        """Let go of the connection of this generation, and of older ones."""


class Lending:
    """Between the control thread and whoever runs models on accelerators."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taker: Taker | None = None
        self._waiting: tuple[Lend, int] | None = None

    def lend(self, terms: Lend, fd: int) -> None:
        """Pass a connection on, or keep it until somebody comes."""
        with self._changed:
            if self._taker is not None:
                self._taker.lend(terms, fd)
                return
            self._drop()
            self._waiting = (terms, fd)
            self._changed.notify_all()

    def relieve(self, generation: int) -> None:
        """Have a connection let go of."""
        with self._changed:
            if self._taker is not None:
                self._taker.relieve(generation)
            elif self._waiting is not None and self._waiting[0].generation <= generation:
                self._drop()

    def begin(self, taker: Taker) -> None:
        """Pass on what came, and what comes."""
        with self._changed:
            self._taker = taker
            if self._waiting is not None:
                taker.lend(*self._waiting)
                self._waiting = None

    def wait(self, timeout_s: float) -> tuple[Lend, int] | None:
        """Wait for a connection, which is the caller's; None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None, timeout_s)
            taken, self._waiting = self._waiting, None
            return taken

    def _drop(self) -> None:
        if self._waiting is not None:
            os.close(self._waiting[1])
            self._waiting = None
