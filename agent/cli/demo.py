"""edge-agent demo: the whole product on this machine, with no hardware, no broker and no account."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.terminal.numbers import number
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, ExtraMissing

if TYPE_CHECKING:
    import argparse

    from agent.demo.session import DemoSession

HELP = "see it work: no hardware, no broker, no account"
DESCRIPTION = """\
Starts a broker (mosquitto from the PATH, else amqtt), a collector and the agent on two pipelines: a detector
on a synthetic camera, and a watcher of a synthetic vibration sensor. Each is a process of its own on the
loopback, in a temporary folder. Then it only watches, and does things on demand. Cut the broker: the
backlog grows while inference goes on. Kill a worker: a new one takes over, and the other pipeline goes on
undisturbed. Roll out a better model: the operator signs it, and the device fetches, proves and tries it, and
swaps it in between two frames. Have one tampered with: somebody changes a byte on the broker, and the device
does not take it. At the end it counts: every result must be in the collector exactly once, and every frame
accounted for."""
EPILOG = """\
keys: b cut the broker / bring it back, k kill a worker, each pipeline's in turn,
m roll out a better model, x publish one that is tampered with, q quit

examples:
  edge-agent demo
  edge-agent demo --seconds 20 --json   does all of it by itself

exit codes: 0 every result arrived exactly once, every ledger balances, and the models
went as they should, 1 not so"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    words = "end after so many seconds, at least 5; unattended, no sooner than all is done"
    parser.add_argument("--seconds", type=number(float, 5, 86_400), metavar="N", help=words)
    parser.add_argument("--json", action="store_true", help="no screen; print one JSON object at the end")


def _me() -> str:
    """How the next command is to be typed here: the PATH may not have us."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) or called.suffix == ".py":
        return called.stem
    here = Path.cwd()
    return (
        str(called.relative_to(here)) if called.is_absolute() and called.is_relative_to(here) else str(called)
    )


def _attend(session: DemoSession, seconds: float | None) -> None:
    """Show it to a person, who may close the terminal."""
    from agent.demo.show import show

    try:
        show(session, seconds)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what it still holds has no reader
        hint = "Start it again, in a terminal that stays"
        raise AgentError("show", "demo", "the terminal is gone", hint) from error


def main(arguments: argparse.Namespace) -> int:
    """Demonstrate; give the exit code."""
    if importlib.util.find_spec("typer") is None:
        hint = "In the checkout, run: pip install '.[demo]'"
        raise ExtraMissing("start", "demo", "the collector's packages are not installed", hint)
    from agent.demo.session import DemoSession
    from agent.demo.show import unattended

    for end in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal, too, ends all that was started
        signal.signal(end, signal.default_int_handler)
    attended = sys.stdin.isatty() and sys.stdout.isatty() and not arguments.json
    if attended:
        print("starting a broker, a collector and the agent ...", flush=True)
    with DemoSession() as session:
        if attended:
            _attend(session, arguments.seconds)
        else:
            seconds = arguments.seconds or 20.0
            if arguments.json and sys.stderr.isatty():
                print(f"running for {seconds:.0f} s, then comes the account ...", file=sys.stderr)
            unattended(session, seconds, quiet=arguments.json)
        account = session.finish()
    if arguments.json:
        print(json.dumps(account.to_json()))
    else:
        print(account.for_people(_me()))
    return EXIT_OK if account.good else EXIT_FAILED
