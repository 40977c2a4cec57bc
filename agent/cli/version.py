"""edge-agent version: what is installed here."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from agent import __version__
from agent.cli.examining.runtime import runtime_in_use
from agent.errors import ExtraMissing
from agent.store.forms import VERSION

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

_PACKAGES = ("ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "paho-mqtt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def versions() -> dict[str, str]:
    """Name and version of everything that matters, without importing it."""
    found = {"edge-agent": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        for distribution in metadata.distributions(name=package):
            found[package] = distribution.version
    found["data-folder"] = str(VERSION)
    found["machine"] = platform.machine()
    found["system"] = f"{platform.system()} {platform.release()}"
    return found


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
