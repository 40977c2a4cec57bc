"""Programs of the system: run by a list of arguments, never by a shell, for a limited time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL_S, SHORT_S = 1800.0, 120.0
"""How long an installation may take, and all else."""
_KEPT = ("PATH", "LANG", "TZ", "HOME")
OPEN = 0o022
"""The umask of what everybody is to read: releases."""
_LAST = 300


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
    environment["DEBIAN_FRONTEND"] = "noninteractive"  # apt: what would be asked has its default
    name = Path(arguments[0]).name
    try:
        done = subprocess.run(
            list(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environment,
            umask=umask,
            check=False,
        )
    except FileNotFoundError as error:
        raise Rejected("run", name, "it is not installed") from error
    except OSError as error:
        raise Rejected("run", name, error.strerror or "it cannot be started") from error
    except subprocess.TimeoutExpired as error:
        raise Rejected("run", name, f"it took more than {seconds:.0f} s") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        problem = said[-1][:_LAST] if said else f"exit code {done.returncode}"
        raise Rejected("run", called(arguments), problem)
    return done.stdout


def called(arguments: Sequence[str]) -> str:
    """Give a command's name as people know it: the program and the verb."""
    verb = next((one for one in arguments[1:] if one[:1].isalpha()), "")
    return f"{Path(arguments[0]).name} {verb}".rstrip()
