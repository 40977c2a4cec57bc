"""edgectl inside the test's own process: as its command line, without the time that a start takes."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import typer.main

from agent.fleet.commands import app

if TYPE_CHECKING:
    from pathlib import Path

_COMMAND = typer.main.get_command(app)


class Edgectl:
    """The operator's command line.

    Args:
        folder: the operator's.
        port: the broker's.
        protocol: which MQTT to speak.
    """

    def __init__(self, folder: Path, port: int, protocol: str = "auto") -> None:
        self.folder = folder
        self._broker = ["--host", "127.0.0.1", "--port", str(port), "--protocol", protocol]

    def __call__(self, verb: str, *words: str | Path) -> Any:
        """Run a verb that speaks with the broker; give its JSON.

        Raises:
            AgentError: what the program would print in a line.
        """
        return self.local(verb, *words, *self._broker)

    def code(self, verb: str, *words: str | Path) -> int:
        """Run a verb that speaks with the broker, for people; give its exit code."""
        return _run([*verb.split(), "--dir", str(self.folder), *map(str, words), *self._broker])

    def local(self, verb: str, *words: str | Path) -> Any:
        """Run a verb; give its JSON."""
        out = StringIO()
        given = [*verb.split(), "--dir", str(self.folder), "--json", *(str(word) for word in words)]
        with redirect_stdout(out):
            _run(given)
        return json.loads(out.getvalue() or "null")


def _run(given: list[str]) -> int:
    return _COMMAND.main(given, prog_name="edgectl", standalone_mode=False) or 0
