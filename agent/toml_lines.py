"""Find the line of a TOML file that a key path points at, so that an error can name it.

``tomllib`` gives values without positions. This scanner reads only what positions need: table headers,
arrays of tables and the keys that begin a line. A path into an inline table or array gives the line of the
nearest key above it.
"""

from __future__ import annotations

import re
from collections import Counter

_HEADER = re.compile(r"^\s*(\[\[|\[)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=""")

Path = tuple[str | int, ...]


def find(text: str, loc: Path) -> int | None:
    """Give the 1-based line where ``loc`` or its nearest known parent stands; None when nothing does."""
    lines = _lines(text)
    for length in range(len(loc), 0, -1):
        if (line := lines.get(loc[:length])) is not None:
            return line
    return None


def _lines(text: str) -> dict[Path, int]:
    found: dict[Path, int] = {}
    seen: Counter[Path] = Counter()
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _resolve(_split(header[2]), seen)
            if header[1] == "[[":
                index = seen[table]
                seen[table] += 1
                found.setdefault(table, number)
                table = (*table, index)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            path = table
            for part in _split(key[1]):
                path = (*path, part)
                found.setdefault(path, number)
    return found


def _resolve(names: tuple[str, ...], seen: Counter[Path]) -> Path:
    """Insert the index of the current element wherever a name is an array of tables."""
    path: Path = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if position < len(names) - 1 and seen[path]:
            path = (*path, seen[path] - 1)
    return path


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in re.findall(r'"[^"]*"|\'[^\']*\'|[^.\s]+', dotted))
