"""The edgectl program: what must be done before anything that takes its time is loaded."""

from __future__ import annotations

import resource
import sys
from typing import NoReturn

from agent.cli.terminal.guarded import guarded
from agent.cli.terminal.streams import open_missing_streams
from agent.errors import EXIT_OK, ExtraMissing
from agent.fleet.title import hide_passwords


def _run() -> int:
    hide_passwords()
    try:
        from agent.fleet.commands import app
    except ModuleNotFoundError as error:
        hint = "In the checkout, run: pip install '.[fleet]'"
        raise ExtraMissing("start", "edgectl", f"the package {error.name} is missing", hint) from error
    try:
        app(prog_name="edgectl")
    except SystemExit as end:  # it ends so, always; what it has printed is still to be written
        return end.code if isinstance(end.code, int) else EXIT_OK
    return EXIT_OK


def _keep_no_core() -> None:
    """Leave no image of our memory, which may hold keys.

    0 keeps Linux from writing a file, 1 also from handing it to a program (fs/coredump.c).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard if hard in {0, 1} else 1, hard))


def main() -> NoReturn:
    """Run as a program."""
    open_missing_streams()
    _keep_no_core()
    sys.exit(guarded("edgectl", _run))


if __name__ == "__main__":
    main()
