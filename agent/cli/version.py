"""edge-agent version: what is installed here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.cli.examining.runtime import runtime_in_use
from agent.cli.examining.versions import versions
from agent.errors import ExtraMissing

if TYPE_CHECKING:
    import argparse

HELP = "show the versions of the agent, its runtime and this machine"
DESCRIPTION = """\
Shows the versions of the agent, of the runtimes and of this machine, and says which runtime models run on and
why it is that one."""
EPILOG = """\
examples:
  edge-agent version
  edge-agent version --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Print; give the exit code."""
    found = versions() | {"runtime": _runtime()}
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, version in found.items():
            print(f"{name:<24} {version}")
    return 0


def _runtime() -> str:
    try:
        name, why = runtime_in_use()
    except ExtraMissing as error:
        return f"none: {error.problem}. {error.hint}"
    return f"{name} ({why})"
