"""Single keys from the terminal, and what they do to the demo."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.demo.session import DemoSession
    from agent.demo.watch import Watch

_LOCAL = 3
"""The place of the local modes in what tcgetattr gives."""
_QUIT = {b"q", b"\x03", b"\x04", b""}


@contextmanager
def keys() -> Iterator[int]:
    """Read single keys without echo, ^C among them; the terminal is put back whatever happens.

    As a signal ^C would raise wherever the interpreter is, in a finalizer too, and that swallows it.
    """
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        mode = termios.tcgetattr(fd)
        mode[_LOCAL] &= ~termios.ISIG
        termios.tcsetattr(fd, termios.TCSANOW, mode)
        yield fd
    finally:
        if os.isatty(fd):  # not when its terminal was closed
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


def obeyed(fd: int, wait_s: float, session: DemoSession, watch: Watch) -> bool:
    """Wait for a key so long at most, and do what it says; False when that is to quit."""
    if not select.select([fd], [], [], max(0.0, wait_s))[0]:
        return True
    key = os.read(fd, 1)
    if key == b"b" and session.broker_up:
        session.cut_broker()
        watch.said = "cut the broker: the backlog grows, nothing is lost"
    elif key == b"b":
        session.restore_broker()
        watch.said = "brought the broker back: the backlog is sent"
    elif key == b"k":
        watch.said = session.kill_worker()
    elif key == b"m":
        watch.said = session.rollouts.improve()
    elif key == b"x":
        watch.said = session.rollouts.tamper()
    return key not in _QUIT
