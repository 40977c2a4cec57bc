"""A serial line, with a test or somebody who never stops at its other end."""

from __future__ import annotations

import os
import threading
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Repeating:
    """Somebody who does something again and again, until it is called off."""

    def __init__(self, act: Callable[[], object], every_s: float = 0.004) -> None:
        self._act, self._every_s = act, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            with suppress(OSError):  # nobody listens, or no more
                self._act()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def wire() -> Iterator[tuple[int, str]]:
    """Give the other end of a line, and the path of ours."""
    theirs, ours = os.openpty()
    tty.setraw(theirs)
    tty.setraw(ours)
    try:
        yield theirs, os.ttyname(ours)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def talking(says: bytes, every_s: float = 0.004) -> Iterator[str]:
    """Give the path of a port on which somebody says this, for ever."""
    with wire() as (theirs, path):
        os.set_blocking(theirs, False)
        talker = Repeating(lambda: os.write(theirs, says), every_s)
        try:
            yield path
        finally:
            talker.end()
