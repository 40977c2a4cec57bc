"""Programs of the system: run by a list of arguments, never by a shell, for a limited time."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL_S, SHORT_S = 1800.0, 120.0
"""How long an installation may take, and all else."""
_KEPT = ("PATH", "TZ", "HOME")
OPEN = 0o022
"""The umask of what everybody is to read: releases."""
_LAST = 300
_MOST_HEARD = 64 << 10
"""Bytes: what a program prints is in memory, and who wrote it may be hostile."""


def run(
    arguments: Sequence[str], seconds: float = SHORT_S, *, also: Sequence[str] = (), umask: int = -1
) -> str:
    """Run a program to its end; give what it has printed.

    Args:
        arguments: the program and what it is called with.
        seconds: how long it may take.
        also: variables of the environment that it gets besides those that all get.
        umask: what its new files are not allowed; -1: as this process's own.

    Raises:
        Rejected: it is not there, failed, or took too long; the last line that it said is told.
    """
    environment = {name: os.environ[name] for name in (*_KEPT, *also) if name in os.environ}
    environment["LC_ALL"] = "C.UTF-8"  # what they say is read, and told
    environment["DEBIAN_FRONTEND"] = "noninteractive"  # apt: what would be asked has its default
    name = Path(arguments[0]).name
    try:
        with subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            umask=umask,
        ) as program:
            out, err = _heard(program, seconds)
    except FileNotFoundError as error:
        raise Rejected("run", name, "it is not installed") from error
    except OSError as error:
        raise Rejected("run", name, error.strerror or "it cannot be started") from error
    except subprocess.TimeoutExpired as error:
        raise Rejected("run", name, f"it took more than {seconds:.0f} s") from error
    if program.returncode:
        said = (err.last.strip() or out.last.strip()).splitlines()
        problem = said[-1][:_LAST] if said else f"exit code {program.returncode}"
        raise Rejected("run", called(arguments), problem)
    return out.first


class _Heard:
    """What a program has printed to one pipe: the beginning and the end of it, however much it is."""

    def __init__(self) -> None:
        self._first, self._last = b"", b""

    def add(self, piece: bytes) -> None:
        self._first += piece[: _MOST_HEARD - len(self._first)]
        self._last = (self._last + piece)[-_MOST_HEARD:]

    @property
    def first(self) -> str:
        return self._first.decode(errors="replace")

    @property
    def last(self) -> str:
        return self._last.decode(errors="replace")


def _heard(program: subprocess.Popen[bytes], seconds: float) -> tuple[_Heard, _Heard]:
    """Hear a program until it ends; what it has left running is not waited for.

    Raises:
        subprocess.TimeoutExpired: it was killed, as it took too long.
    """
    out, err = _Heard(), _Heard()
    until = time.monotonic() + seconds
    ended = os.pidfd_open(program.pid)
    try:
        with selectors.DefaultSelector() as pipes:
            for pipe, heard in ((program.stdout, out), (program.stderr, err)):
                if pipe is not None:
                    pipes.register(pipe, selectors.EVENT_READ, heard)
            pipes.register(ended, selectors.EVENT_READ)
            while True:
                ready = pipes.select(max(0.0, until - time.monotonic()))
                if not ready or time.monotonic() > until:
                    program.kill()
                    raise subprocess.TimeoutExpired(program.args, seconds)
                for key, _ in ready:
                    if key.data is not None:
                        _take(pipes, key)
                if all(key.data is None for key, _ in ready):
                    return out, err
    finally:
        os.close(ended)


def _take(pipes: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Take what one pipe has; leave it when it is closed."""
    if piece := os.read(key.fd, _MOST_HEARD):
        key.data.add(piece)
    else:
        pipes.unregister(key.fileobj)


def called(arguments: Sequence[str]) -> str:
    """Give a command's name as people know it: the program and the verb."""
    verb = next((one for one in arguments[1:] if one[:1].isalpha()), "")
    return f"{Path(arguments[0]).name} {verb}".rstrip()
