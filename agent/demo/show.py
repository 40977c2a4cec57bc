"""What the demo shows: one live line and three keys, or nothing while it breaks things by itself."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.demo.session import DemoSession

_REFRESH_S = 0.25
_CUT_AT, _RESTORE_AT, _KILL_AT = 0.3, 0.5, 0.65
"""Shares of an unattended demo's time at which it does what the keys do."""


def show(session: DemoSession, seconds: float | None) -> None:
    """Show one live line until q, ^C or the end of ``seconds``; obey the keys."""
    print(f"camera 640x480, model glyphs, broker {session.broker_kind}; everything in {session.folder}")
    print("keys: [b] cut / restore the broker  [k] kill the worker  [q] quit")
    ends = time.monotonic() + seconds if seconds else None
    with _keys() as fd:
        try:
            while ends is None or time.monotonic() < ends:
                _redraw(_line(session.status(), broker_up=session.broker_up))
                if select.select([fd], [], [], _REFRESH_S)[0] and not _obey(session, os.read(fd, 1)):
                    break
        except KeyboardInterrupt:
            print()
    print("\nstopping: letting everything arrive, then counting ...")


def _obey(session: DemoSession, key: bytes) -> bool:
    """Do what a key says; False to quit."""
    if key == b"b" and session.broker_up:
        session.cut_broker()
    elif key == b"b":
        session.restore_broker()
    elif key == b"k":
        session.kill_worker()
    return key not in {b"q", b"\x03", b"\x04", b""}


def _line(status: dict[str, Any] | None, *, broker_up: bool) -> str:
    if status is None:
        return "the agent does not answer"
    pipeline, store = status["pipelines"][0], status["store"]
    link = status["link"]["state"] if broker_up else "broker cut"
    return (
        f"{link:<10} | backlog {store['backlog']:<5} | worker {pipeline['state']:<8}"
        f" restarts {pipeline['restarts']} | {pipeline['fps']:4.1f} fps"
        f" | p50 {pipeline['infer_p50_ms']:.2f} ms | stored {store['committed']} | acked {store['acked']}"
    )


def _redraw(line: str) -> None:
    width = os.get_terminal_size(sys.stdout.fileno()).columns or 80
    sys.stdout.write(f"\r\x1b[2K{line[: width - 1]}")
    sys.stdout.flush()


@contextmanager
def _keys() -> Iterator[int]:
    """Read single keys without echo; the terminal is put back whatever happens."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def unattended(session: DemoSession, seconds: float, *, quiet: bool) -> None:
    """Run for ``seconds``; on the way cut the broker, bring it back, and kill the worker, once each."""
    begin = time.monotonic()
    script = [
        (_CUT_AT, "cutting the broker", session.cut_broker),
        (_RESTORE_AT, "bringing the broker back", session.restore_broker),
        (_KILL_AT, "killing the worker", session.kill_worker),
    ]
    for share, words, act in script:
        _sleep_until(begin + share * seconds)
        if not quiet:
            print(f"{time.monotonic() - begin:5.1f} s  {words}", flush=True)
        act()
    _sleep_until(begin + seconds)
    session.status()


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
