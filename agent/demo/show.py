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
_LOOK_S, _BUSY_S, _EAGER_S = 1.0, 0.1, 0.05
_CUT_AT, _CUT_FOR, _KILL_AFTER = 0.3, 0.2, 0.1
"""Shares of an unattended demo's time: when the broker is cut at the earliest, for how long, and how long
after its return a worker is killed."""


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
    print(
        "keys: [b] cut / restore the broker  [k] kill a worker  [m] better model  [x] tampered one  [q] quit"
    )
    said = ""
    while time.monotonic() < ends:
        watch.take(session.status())
        watch.hear(session.rollouts.said)
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
    """Do once each what the keys do, and run for ``seconds``, or as long as that takes.

    Roll out the better model; cut the broker, and bring it back; kill one worker; have a model tampered with.
    """
    told = _Told(session, quiet=quiet)
    session.rollouts.improve()
    told.finish()
    told.wait(told.began + _CUT_AT * seconds)
    told.say("cutting the broker")
    session.cut_broker()
    told.wait(time.monotonic() + _CUT_FOR * seconds)
    told.say("bringing the broker back")
    session.restore_broker()
    told.wait(time.monotonic() + _KILL_AFTER * seconds)
    told.say(f"killing the worker of {session.next_victim}")
    session.kill_worker()
    session.rollouts.tamper()
    told.finish()
    told.wait(told.began + seconds)
    session.status()


class _Told:
    """Waits with an eye on the status, and says what happens meanwhile."""

    def __init__(self, session: DemoSession, *, quiet: bool) -> None:
        self._session = session
        self._quiet = quiet
        self._heard = ""
        self.began = time.monotonic()

    def say(self, words: str) -> None:
        """Say what is done, and when."""
        if not self._quiet:
            print(f"{time.monotonic() - self.began:5.1f} s  {words}", flush=True)

    def wait(self, moment: float) -> None:
        """Wait until then: closely until the first detection is there."""
        while (left := moment - time.monotonic()) > 0:
            self._look()
            time.sleep(min(left, _EAGER_S if self._session.first_detection_s is None else _LOOK_S))

    def finish(self) -> None:
        """Wait until what was begun with the models is over."""
        while self._session.rollouts.busy and not self._session.crippled:
            self._look()
            time.sleep(_BUSY_S)
        self._look()

    def _look(self) -> None:
        self._session.status()
        said = self._session.rollouts.said
        if said != self._heard:
            self._heard = said
            self.say(said)
