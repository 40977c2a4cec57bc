"""Reaps, as the first process of a container, what ended programs have left behind: nobody else does."""

from __future__ import annotations

import os
from pathlib import Path

from agent.supervision.partners import QuietPartner

_LOOK_S = 30.0
_STATE, _PARENT, _STARTED = 0, 1, 19
"""Places in /proc/PID/stat behind the name: see proc(5)."""

Zombie = tuple[int, str]
"""Its id, and when it was started: ids are used again."""


class Orphans(QuietPartner):
    """Looks every half a minute for children that nobody has reaped since the last look.

    What the agent has started itself is reaped within moments, by who watches its pidfd; that one alone may
    have its exit code, and is left alone however long it takes.
    """

    def __init__(self) -> None:
        self._next_look = 0.0
        self._seen: set[Zombie] = set()

    def tick(self, now: float) -> None:
        """Look, when it is time."""
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        there = _zombies()
        if old := {pid for pid, _ in there & self._seen}:
            for pid in old - _watched():
                _reap(pid)
        self._seen = there

    def next_tick(self, now: float) -> float:
        """Seconds until the next look."""
        return max(0.0, self._next_look - now)


def orphans() -> Orphans | None:
    """Make it for the first process of a container; any other has an init, which does so."""
    return Orphans() if os.getpid() == 1 else None


def _reap(pid: int) -> None:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return  # somebody else was faster


def _zombies() -> set[Zombie]:
    """Give our children that have ended and are not reaped."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    return {(pid, started) for pid in pids if (started := _ended(pid))}


def _ended(pid: int) -> str:
    """Say when a zombie of ours was started; "" for any other process."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""  # it is gone
    ours = (facts[_STATE], facts[_PARENT]) == ("Z", str(os.getpid()))
    return facts[_STARTED] if ours else ""


def _watched() -> set[int]:
    """Give the processes that we have a pidfd of, see pidfd_open(2)."""
    return {_process(info) for info in Path("/proc/self/fdinfo").iterdir()}


def _process(info: Path) -> int:
    try:
        lines = dict(line.partition(":")[::2] for line in info.read_text().splitlines())
    except OSError:
        return -1  # it was closed meanwhile
    return int(lines.get("Pid", "-1"))
