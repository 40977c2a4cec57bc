"""Help texts that fit the terminal: paragraphs are wrapped, indented lines stay as they are."""

from __future__ import annotations

import argparse
import itertools
import textwrap


class Paragraphs(argparse.HelpFormatter):
    """Wraps what begins at the margin; examples and tables, which are indented, are printed as written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for kept, group in itertools.groupby(text.splitlines(), lambda line: not line or line[:1] == " "):
            found = list(group)
            lines += found if kept else textwrap.wrap(" ".join(found), width, break_on_hyphens=False)
        return "\n".join(indent + line for line in lines)
