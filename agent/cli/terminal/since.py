"""The option ``--since``: a moment, as people say it."""

from __future__ import annotations

import argparse
import time

from agent.errors import ConfigInvalid
from agent.moments import moment


def add_since(parser: argparse.ArgumentParser) -> None:
    """Declare ``--since``: nanoseconds since 1970, or None."""
    parser.add_argument(
        "--since",
        type=_moment,
        metavar="T",
        help="only what is newer: how long ago ('30m', '2h', '1d'), or ISO 8601, UTC where no zone is given",
    )


def _moment(text: str) -> int:
    try:
        return moment(text, time.time_ns())
    except ConfigInvalid as error:
        raise argparse.ArgumentTypeError(f"{text!r} is {error.problem}. {error.hint}") from None
