"""systemd's programs, run on this machine, and what they say of the agent's service."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.installing.plan import UNIT

if TYPE_CHECKING:
    from collections.abc import Iterable

WHY = "See why: journalctl -u edge-agent -n 20, and edge-agent check"
_RUNNING = Path("/run/systemd/system")
"""It is there where systemd is the init system: sd_booted(3)."""
_MOST_S = 300
"""More than a service may take to stop and to start."""
_ANSWER_S = 30
_NEWS = ("Created symlink", "Removed ")
"""What systemctl says on standard error before it fails."""


def runs_here() -> bool:
    """Whether this machine's first process is systemd."""
    return _RUNNING.is_dir()


def run(argv: tuple[str, ...]) -> None:
    """Run a program to its end.

    Raises:
        AgentError: it is not there, fails or does not end in five minutes.
    """
    words = " ".join(argv)
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_MOST_S, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise AgentError(
            "run", words, "there is no such program", f"Install {argv[0]}, part of systemd"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError("run", words, str(error), "Run it by hand, then this again") from error
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if not line.startswith(_NEWS)]
        said = said or [f"exit code {done.returncode}"]
        hint = WHY if argv[0] == "systemctl" else "Run it by hand, then this again"
        raise AgentError("run", words, said[0].rstrip("."), hint)


def shown(properties: Iterable[str]) -> dict[str, str]:
    """Give properties of the agent's service by their names, as ``systemctl show`` has them.

    Raises:
        AgentError: systemd does not answer.
    """
    command = ["systemctl", "show", f"--property={','.join(properties)}", UNIT]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace",  # a drop-in's name is any bytes
            timeout=_ANSWER_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise AgentError("ask systemd of", UNIT, str(error), WHY) from error
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
