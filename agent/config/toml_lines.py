"""Find the line of a TOML file that a key path points at, so that an error can name it.

``tomllib`` gives values without positions. This scanner reads only what positions need: table headers, arrays
of tables and the keys that begin a statement; values are passed over. A path into an inline table or array
gives the line of the nearest key above it. The text must be valid TOML.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?")
_KEY = re.compile(rf"({_DOTTED})[ \t]*=")
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[^"'#\n\[\]{}]+|.''',
    re.DOTALL,
)
"""What a value is made of: strings, comments, brackets, line ends, and the rest."""

Path = tuple[str | int, ...]


def find(text: str, loc: Path) -> int | None:
    """Give the 1-based line where ``loc`` or its nearest known parent stands; None when nothing does."""
    lines = scan(text)
    for length in range(len(loc), 0, -1):
        if (line := lines.get(loc[:length])) is not None:
            return line
    return None


def scan(text: str) -> dict[Path, int]:
    """Give the 1-based line of every table, element of an array of tables, and key that has a line."""
    found: dict[Path, int] = {}
    elements: Counter[Path] = Counter()
    table: Path = ()
    at = line = 0
    while (start := _skip_blank(text, at)) < len(text):
        line += text.count("\n", at, start)
        at = start
        if header := _HEADER.match(text, at):
            table = _resolve(_split(header[2]), elements, found, line + 1)
            if header[1] == "[[":
                elements[table] += 1
                table = (*table, elements[table] - 1)
                found.setdefault(table, line + 1)
            at = header.end()
        elif key := _KEY.match(text, at):
            _resolve((*table, *_split(key[1])), Counter(), found, line + 1)
            at = key.end()
        end = _end_of_value(text, at)
        line += text.count("\n", at, end)
        at = end
    return found


def _skip_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _end_of_value(text: str, at: int) -> int:
    """Pass over a value, to the end of its last line."""
    depth = 0
    while token := _TOKEN.match(text, at):
        if token[0] == "\n" and depth == 0:
            break
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        at = token.end()
    return at


def _resolve(names: Path, elements: Counter[Path], found: dict[Path, int], line: int) -> Path:
    """Note what ``names`` lead through; after an array of tables comes the index of its newest element."""
    path: Path = ()
    for name in names:
        if elements[path]:
            path = (*path, elements[path] - 1)
        path = (*path, name)
        found.setdefault(path, line)
    return path


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(_plain(part[0]) for part in re.finditer(_PART, dotted))


def _plain(part: str) -> str:
    return next(iter(tomllib.loads(f"{part} = 0"))) if part[0] in "\"'" else part
