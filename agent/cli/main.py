"""The edge-agent command: one file a verb; errors become one line and an exit code here, and only here."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from typing import NoReturn

from agent.cli.streams import open_missing_streams
from agent.errors import EXIT_FAILED, AgentError, ConfigInvalid
from agent.wording import plain

VERBS = ("init", "run", "demo", "check", "doctor", "status", "infer", "results", "store", "version")

_DESCRIPTION = (
    "Runs quantized TFLite models on a stream of frames, keeps every result, and delivers it over MQTT."
)
_EPILOG = """\
first steps:
  edge-agent demo                      no hardware, no broker, no account
  edge-agent doctor                    is this machine fit?
  edge-agent infer glyphs picture.jpg  one model on some pictures
  edge-agent init                      a first configuration, for what is plugged in
  edge-agent run --config agent.toml   the agent

exit codes: 0 done, 1 failed, 2 usage, 78 the configuration must be changed first"""


_LONGEST = 4000
"""Characters of an error line; names from outside can be long, and hold what moves a cursor."""


def parser() -> argparse.ArgumentParser:
    """Make the whole command line."""
    top = argparse.ArgumentParser(
        prog="edge-agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for name in VERBS:
        module = importlib.import_module(f"agent.cli.{name}")
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
        verb.set_defaults(main=module.main)
    return top


def run(arguments: list[str] | None = None) -> int:
    """Do what the command line says; give the exit code."""
    logging.getLogger("edge-agent").addHandler(logging.NullHandler())  # only `run` logs; errors are raised
    try:
        parsed = parser().parse_args(arguments)
        code: int = parsed.main(parsed)
        sys.stdout.flush()
    except AgentError as error:
        for line in (str(error), *(error.also if isinstance(error, ConfigInvalid) else ())):
            print(f"edge-agent: {plain(line, _LONGEST)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_FAILED
    except BrokenPipeError:
        _drop_output()  # its reader left
        return EXIT_FAILED
    except OSError as error:  # what our own code expects of files it words itself: this is the output's
        _drop_output()
        print(f"edge-agent: write output: {error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED
    return code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> NoReturn:
    """Run as a program."""
    open_missing_streams()
    sys.exit(run())


if __name__ == "__main__":
    main()
