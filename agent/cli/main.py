"""The edge-agent command: one file a verb."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from typing import TYPE_CHECKING, NoReturn

from agent.cli.terminal.guarded import guarded
from agent.cli.terminal.paragraphs import Paragraphs
from agent.cli.terminal.streams import open_missing_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = (
    "init",
    "install",
    "run",
    "demo",
    "check",
    "doctor",
    "status",
    "command",
    "infer",
    "calibrate",
    "sources",
    "snapshot",
    "record",
    "replay",
    "probe",
    "bench",
    "results",
    "store",
    "media",
    "model",
    "audit",
    "diagnose",
    "report",
    "plugin",
    "tuf",
    "version",
)

_DESCRIPTION = (
    "Runs quantized TFLite models on a stream of frames, keeps every result, and delivers it over MQTT."
)
_EPILOG = """\
first steps:
  edge-agent demo                     no hardware, no broker, no account
  edge-agent doctor                   is this machine fit?
  edge-agent infer shapes --source synthetic --frames 3
                                      one model, no hardware
  edge-agent init                     a configuration, for what is plugged in
  edge-agent run --config agent.toml  the agent
  sudo edge-agent install             ... as a service of systemd

exit codes: 0 done, 1 failed, 2 usage, 78 the configuration must be changed first"""


def parser(names: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Make the command line, whole or of the verbs that are named: the agent loads no more than its own."""
    top = argparse.ArgumentParser(
        prog="edge-agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Paragraphs,
    )
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for name in names:
        module = importlib.import_module(f"agent.cli.{name}")
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            epilog=module.EPILOG,
            formatter_class=Paragraphs,
        )
        module.add_arguments(verb)
        verb.set_defaults(main=module.main)
    return top


def run(arguments: list[str] | None = None) -> int:
    """Do what the command line says; give the exit code."""
    logging.getLogger("edge-agent").addHandler(logging.NullHandler())  # only `run` logs; errors are raised
    return guarded("edge-agent", lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    top = parser(given[:1] if given[:1] and given[0] in VERBS else VERBS)
    parsed, left = top.parse_known_args(given)
    if left and any(one.startswith("-") and one != "-" for one in left):
        top.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        _put(left, parsed, top)
    code: int = parsed.main(parsed)
    return code


def _put(left: list[str], parsed: argparse.Namespace, top: argparse.ArgumentParser) -> None:
    """Take words behind options for the verb's list, which argparse of Python 3.11 ends at an option."""
    names = [name for name in ("inputs", "models") if getattr(parsed, name, None) == []]
    if not names:
        top.error(f"unrecognized arguments: {' '.join(left)}")
    setattr(parsed, names[0], left)


def main() -> NoReturn:
    """Run as a program."""
    open_missing_streams()
    sys.exit(run())


if __name__ == "__main__":
    main()
