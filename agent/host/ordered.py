"""python -m agent.host.ordered UNIT: does what the helper has ordered, within what UNIT may do.

``systemd/edge-agent-fetch.service`` and ``edge-agent-try.service`` start it. What it prints is the answer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.documents.base import read
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, MessageInvalid, Rejected
from agent.host.orders import FETCH, HOME, MOST_PROBLEM, MOST_SAID, TRY, Done, Order, order_of
from agent.host.places import read_own
from agent.host.programs import INSTALL_S, called, run

_OF_THE_UNIT = ("STATE_DIRECTORY", "CACHE_DIRECTORY", "CREDENTIALS_DIRECTORY", "TMPDIR")
"""What the unit says: `edge-agent check` wants the secrets and the data folder."""


def main() -> int:
    """Do it, and print the answer; give the exit code."""
    parser = argparse.ArgumentParser(prog="agent.host.ordered", description=__doc__)
    parser.add_argument("unit", choices=(FETCH, TRY))
    parser.add_argument("--orders", type=Path, default=Path(HOME), metavar="DIR", help=f"default {HOME}")
    arguments = parser.parse_args()
    try:
        order = _order(arguments.orders / order_of(arguments.unit))
    except AgentError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(_obeyed(order).model_dump_json(), flush=True)
    return EXIT_OK


def _order(path: Path) -> Order:
    content = read_own(path)
    if content is None:
        raise MessageInvalid("read order", str(path), "there is none", "The helper writes it: ask that one")
    return read(Order, content, path.name)


def _obeyed(order: Order) -> Done:
    print(f"run {called(order.command)}", file=sys.stderr, flush=True)
    try:
        return Done(said=run(order.command, INSTALL_S, also=_OF_THE_UNIT)[:MOST_SAID])
    except Rejected as error:
        print(error, file=sys.stderr)
        return Done(problem=error.problem[:MOST_PROBLEM])


if __name__ == "__main__":
    sys.exit(main())
