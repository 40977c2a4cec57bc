"""A worker's side of its launcher: the commands are fixed before the worker reads anything from outside."""

from __future__ import annotations

import os
import select
import shutil
from typing import TYPE_CHECKING

import orjson

from agent.errors import LaneCrashed
from agent.processes.child import Child
from agent.processes.ipc import close_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATIENCE_S = 10.0
"""What the launcher has for an answer, above what a program is given to end."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Launcher:
    """A process beside this one that starts these commands, and nothing else, as often as it is asked.

    It ends, with all that it has started, when this process does.

    Args:
        commands: each a program's name or path, and all that it is given.
        rules: how the launcher confines itself, as ``agent.launcher.main`` reads it; None for not at all.

    Raises:
        OSError: this machine cannot start a process now.
    """

    def __init__(self, commands: Sequence[Sequence[str]], rules: Mapping[str, object] | None) -> None:
        self._commands = [tuple(one) for one in commands]
        spec = orjson.dumps({"rules": rules, "commands": self._commands})
        path = os.environ.get("PATH", _PATH)
        os.environ["PATH"] = path  # so that both sides find a program at the same place
        self._child = Child("agent.launcher.main", spec, environment={"PATH": path})

    def start(self, path: str, arguments: Sequence[str]) -> Started:
        """Have a command started.

        Args:
            path: of the program, as ``shutil.which`` finds it.
            arguments: what it is given.

        Raises:
            OSError: this machine cannot start it now, or it is none of the commands.
            LaneCrashed: the launcher is gone.
        """
        wanted = (path, *arguments)
        found = (at for at, one in enumerate(self._commands) if (shutil.which(one[0]), *one[1:]) == wanted)
        if (number := next(found, None)) is None:
            raise PermissionError(1, "the launcher was not told of this command")
        said, descriptors = self.ask({"start": number}, _PATIENCE_S)
        if "errno" in said:
            close_all(descriptors)
            raise OSError(said["errno"], os.strerror(said["errno"]))
        stdout, stderr = descriptors
        return Started(self, said["started"], stdout, stderr)

    def ask(self, message: Mapping[str, object], patience_s: float) -> tuple[dict[str, int], list[int]]:
        """Ask the launcher, and give its answer with the descriptors that came along.

        Raises:
            LaneCrashed: it is gone, or does not answer in time.
        """
        try:
            self._child.channel.send(orjson.dumps(message))
            poll = select.poll()
            poll.register(self._child.channel, select.POLLIN)
            answered = bool(poll.poll(patience_s * 1000))
            packet, descriptors = self._child.channel.receive_with() if answered else (None, [])
        except OSError:
            packet, descriptors = None, []
        if not packet:
            problem = "the process that starts programs for this worker is gone"
            raise LaneCrashed("start", "program", problem, "A new worker has a new one")
        return orjson.loads(packet), descriptors

    def close(self) -> None:
        """End it, and what it has started; only where this process may still send signals."""
        self._child.channel.hang_up()
        poll = select.poll()
        poll.register(self._child.pidfd, select.POLLIN)
        poll.poll(_PATIENCE_S * 1000)
        self._child.exit_code()
        self._child.close()


class Started:
    """A program that the launcher has started.

    Attributes:
        stdout: the descriptor that its output is read from; the caller's.
        stderr: the descriptor that its complaints are read from; the caller's.
    """

    def __init__(self, launcher: Launcher, number: int, stdout: int, stderr: int) -> None:
        self._launcher = launcher
        self._number = number
        self._code: int | None = None
        self.stdout = stdout
        self.stderr = stderr

    def finish(self, patience_s: float) -> int:
        """Wait so long for its end, then end it and what it has started. Idempotent.

        Returns:
            Its exit code, negative for a signal.

        Raises:
            LaneCrashed: the launcher is gone, and the program with it.
        """
        if self._code is None:
            message = {"finish": self._number, "patience_s": patience_s}
            said, _ = self._launcher.ask(message, patience_s + _PATIENCE_S)
            self._code = said["ended"]
        return self._code


class Resident:
    """What this process uses from its confinement on; there is none before, and none without."""

    launcher: Launcher | None = None
