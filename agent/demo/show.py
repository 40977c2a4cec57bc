"""What the demo shows: a page or one live line, with keys, or nothing while it breaks things by itself."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import time
from typing import TYPE_CHECKING

from agent.demo.keys import keys, obeyed
from agent.demo.page import LEAST, line
from agent.demo.pipelines import PIPELINES
from agent.demo.watch import Watch

if TYPE_CHECKING:
    from agent.demo.session import DemoSession

_REFRESH_S = 0.25
_LOOK_S, _EAGER_S = 1.0, 0.05
_CUT_AT, _RESTORE_AT, _KILL_AT = 0.3, 0.5, 0.65
"""Shares of an unattended demo's time at which it does what the keys do."""


def show(session: DemoSession, seconds: float | None) -> None:
    """Show what happens until q, ^C or the end of ``seconds``; obey the keys."""
    ends = time.monotonic() + seconds if seconds else math.inf
    watch = Watch()
    with keys() as fd:
        try:
            if _has_room():
                from agent.demo.screen import run

                run(session, watch, fd, ends)
            else:
                _lines(session, watch, fd, ends)
        except KeyboardInterrupt:
            print()
    print("stopping: letting everything arrive, then counting ...", flush=True)


def _dumb() -> bool:
    return os.environ.get("TERM", "") in {"", "dumb", "unknown"}


def _has_room() -> bool:
    """Whether a page can be shown: rich is there, and the terminal is large and clever enough."""
    if importlib.util.find_spec("rich") is None or _dumb():
        return False
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    return columns >= LEAST[0] and rows >= LEAST[1] and "utf" in sys.stdout.encoding.lower()


def _lines(session: DemoSession, watch: Watch, fd: int, ends: float) -> None:
    names = ", ".join(one.name for one in PIPELINES)
    print(f"pipelines {names}; broker {session.broker_kind}; everything in {session.folder}")
    print("keys: [b] cut / restore the broker  [k] kill a worker  [q] quit")
    said = ""
    while time.monotonic() < ends:
        watch.take(session.status())
        if watch.said != said:
            said = watch.said
            _redraw(said)
            print()
        _redraw(line(watch.status, broker_up=session.broker_up))
        if not obeyed(fd, _REFRESH_S, session, watch):
            break
    print()


def _redraw(text: str) -> None:
    width = (os.get_terminal_size(sys.stdout.fileno()).columns or 80) - 1
    sys.stdout.write(f"\r{text[:width]:<{width}}" if _dumb() else f"\r\x1b[2K{text[:width]}")
    sys.stdout.flush()


def unattended(session: DemoSession, seconds: float, *, quiet: bool) -> None:
    """Run for ``seconds``; on the way cut the broker, bring it back, and kill one worker, once each."""
    begin = time.monotonic()
    script = [
        (_CUT_AT, "cutting the broker", session.cut_broker),
        (_RESTORE_AT, "bringing the broker back", session.restore_broker),
        (_KILL_AT, f"killing the worker of {session.next_victim}", session.kill_worker),
    ]
    for share, words, act in script:
        _watch_until(session, begin + share * seconds)
        if not quiet:
            print(f"{time.monotonic() - begin:5.1f} s  {words}", flush=True)
        act()
    _watch_until(session, begin + seconds)
    session.status()


def _watch_until(session: DemoSession, moment: float) -> None:
    """Wait, with an eye on the status: closely until the first detection is there."""
    while (left := moment - time.monotonic()) > 0:
        session.status()
        time.sleep(min(left, _EAGER_S if session.first_detection_s is None else _LOOK_S))
