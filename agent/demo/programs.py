"""The programs that the demo starts: each a process of its own, with a log, tied to this one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from agent.child import ending
from agent.errors import AgentError

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

    def finish(self, name: str, limit_s: float) -> None:
        """Wait for a program that ends by itself.

        Raises:
            AgentError: it takes longer than ``limit_s``, or fails.
        """
        self._end_of(name, limit_s)

    def stop(self, name: str) -> None:
        """Ask a program to end, and wait for it.

        Raises:
            AgentError: it does not end, or had failed.
        """
        self._running[name].terminate()
        self._end_of(name, _STOP_S)

    def kill(self, *names: str) -> None:
        """Kill programs, all of them if none is named; those that have ended are left alone."""
        for name in names or self._running:
            program = self._running.get(name)
            if program is not None:
                program.kill()
                program.wait()

    def log(self, name: str) -> str:
        """Give what a program has written."""
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def last_words(self, name: str) -> str:
        """Give the last line that a program has written."""
        lines = self.log(name).splitlines()
        return lines[-1] if lines else "it ended at once"

    def _end_of(self, name: str, limit_s: float) -> None:
        try:
            code = self._running[name].wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise AgentError("stop", name, f"it did not end within {limit_s:.0f} s") from error
        if code < 0:
            raise AgentError("run", name, f"it was {ending(code)}", "Start the demo again")
        if code:
            raise AgentError("run", name, f"{ending(code)}: {self.last_words(name)}")
