"""Where the agent that installs itself stands, and whether its service could run from there."""

from __future__ import annotations

import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import agent
from agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

_OP = "install from"
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - not used, but refused
"""What the unit does not show to the service: ProtectHome=, PrivateTmp=."""
_READABLE = stat.S_IROTH | stat.S_IXOTH
_WAY = "sudo python3 -m venv /opt/edge-agent && sudo /opt/edge-agent/bin/pip install CHECKOUT_OR_WHEEL"


@dataclass(frozen=True, slots=True)
class Environment:
    """An installation of the agent.

    Attributes:
        programs: the folder of edge-agent and edgectl.
        python: the interpreter, its links followed: it may lie elsewhere.
        package: the folder of the agent's own code.
    """

    programs: Path
    python: Path
    package: Path

    @property
    def folder(self) -> Path:
        """The environment's folder."""
        return self.programs.parent


def here() -> Environment:
    """Give the environment that this process runs from."""
    executable = Path(sys.executable)
    return Environment(executable.parent, executable.resolve(), Path(agent.__file__).resolve().parent)


def refuse_hidden(environment: Environment, hidden: Sequence[str] = HIDDEN) -> None:
    """See that the service can run from there.

    Args:
        environment: what would run it.
        hidden: folders that the service does not see.

    Raises:
        AgentError: it lacks the program, the unit hides a part of it, or others than root cannot read it.
    """
    program = environment.programs / "edge-agent"
    if not program.is_file():
        hint = f"Install the agent into an environment of its own: {_WAY}"
        raise AgentError(_OP, str(environment.programs), "there is no edge-agent", hint)
    parts = {
        "the environment": environment.folder,
        "its Python": environment.python,
        "the agent's code": environment.package,
    }
    for name, path in parts.items():
        if below := _hidden_by(path, hidden):
            hint = f"Install it where the service can read it: {_WAY}"
            problem = f"{name} lies below {below}, which the service does not see"
            raise AgentError(_OP, str(path), problem, hint)
    for name, path in parts.items():
        if (closed := _closed(path)) is not None:
            hint = f"Let everyone read it: sudo chmod -R a+rX {closed}"
            raise AgentError(_OP, str(closed), f"{name} cannot be read by the service's user", hint)


def _hidden_by(path: Path, hidden: Sequence[str] = HIDDEN) -> str:
    """Give which of these folders holds a path; "" for none."""
    return next((one for one in hidden if path.resolve().is_relative_to(one)), "")


def _closed(path: Path) -> Path | None:
    """Give the folder on the way there, or what is there itself, that not everyone may enter or read."""
    for part in (*reversed(path.parents), path):
        mode = part.stat().st_mode
        if not mode & stat.S_IXOTH or (part == path and mode & _READABLE != _READABLE):
            return part
    return None
