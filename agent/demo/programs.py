"""The programs that the demo starts: each a process of its own, with a log, tied to this one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.processes.child import ending

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_STOP_S = 20.0


class Programs:
    """Programs by their names; start them from one thread that lives on.

    Args:
        folder: where their logs go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, *arguments: str, environment: Mapping[str, str] = {}) -> None:
        """Start ``python -m module``; another one of this name must have ended.

        Args:
            name: what it is called here.
            module: the program.
            arguments: what it is told.
            environment: variables over those of this process.
        """
        # Tethered: no program of the demo outlives it, even if it is killed.
        command = [sys.executable, "-m", "agent.demo.tether", str(os.getpid()), sys.executable, "-m", module]
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def code(self, name: str) -> int | None:
        """Give a program's exit code, negative for a signal; None while it runs."""
        return self._running[name].poll()

    def stop(self, name: str) -> None:
        """Ask a program to end, and wait for it.

        Raises:
            AgentError: it does not end, or had failed.
        """
        self._running[name].terminate()
        try:
            code = self._running[name].wait(_STOP_S)
        except subprocess.TimeoutExpired as error:
            raise AgentError("stop", name, f"it did not end within {_STOP_S:.0f} s") from error
        if code < 0:
            raise AgentError("run", name, f"it was {ending(code)}", "Start the demo again")
        if code:
            raise AgentError("run", name, f"{ending(code)}: {self.last_words(name)}")

    def kill(self, *names: str) -> None:
        """Kill programs, all of them if none is named; those that have ended are left alone."""
        for name in names or self._running:
            program = self._running.get(name)
            if program is not None:
                program.kill()
                program.wait()

    def lines(self, name: str) -> list[str]:
        """Give what a program has written."""
        return (self._folder / f"{name}.log").read_text(errors="replace").splitlines()

    def last_words(self, name: str) -> str:
        """Give the last line that a program has written."""
        return (self.lines(name) or ["it ended at once"])[-1]
