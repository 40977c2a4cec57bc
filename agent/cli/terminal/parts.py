"""Verbs that have parts, as ``edge-agent store verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Options = Callable[[argparse.ArgumentParser], None]


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json`` of a part that has one answer."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


class Parts:
    """The parts of one verb; what does the chosen one is ``arguments.do``.

    Args:
        parser: the verb's.
        options: each declares options that every part has.
    """

    def __init__(self, parser: argparse.ArgumentParser, *options: Options) -> None:
        self._parsers = parser.add_subparsers(dest="part", metavar="PART", required=True)
        self._options = options

    def add(self, name: str, words: str, do: Callable[..., int]) -> argparse.ArgumentParser:
        """Declare a part, with help of one sentence; give its parser for options of its own."""
        parser: argparse.ArgumentParser = self._parsers.add_parser(
            name, help=words, description=f"{words[0].upper()}{words[1:]}."
        )
        for declare in self._options:
            declare(parser)
        parser.set_defaults(do=do)
        return parser
