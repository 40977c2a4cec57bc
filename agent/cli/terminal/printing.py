"""Rows on standard output: aligned and cut on a terminal, CSV or JSON lines for programs."""

from __future__ import annotations

import csv
import itertools
import json
import math
import shutil
import sys
from typing import TYPE_CHECKING, Any

from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDEST = 60
"""Characters of a column, at most, while there are others."""
_AT_ONCE = 1000
"""Rows that are aligned together; the columns of the next ones may be wider."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Print rows in columns, each line cut to the terminal's width; give how many rows there were."""
    width = shutil.get_terminal_size((100, 24)).columns
    total = 0
    stream = iter(rows)
    while cells := [[_cell(value) for value in row] for row in itertools.islice(stream, _AT_ONCE)]:
        widths = [
            min(_WIDEST, max(len(name), *(len(row[n]) for row in cells))) for n, name in enumerate(columns)
        ]
        numbers = [all(_is_number(row[n]) for row in cells) for n in range(len(columns))]
        print(_line(columns, widths, numbers, width))
        for row in cells:
            print(_line(row, widths, numbers, width))
        total += len(cells)
    return total


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Print RFC 4180 with a header; text that a spreadsheet would run as a formula gets an apostrophe."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    total = 0
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
        total += 1
    return total


def print_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Print one JSON object a line; a number that JSON does not have is null."""
    total = 0
    for row in rows:
        print(json.dumps(dict(zip(columns, (_jsonable(value) for value in row), strict=True))))
        total += 1
    return total


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool], width: int) -> str:
    parts = []
    for cell, size, number in zip(cells, widths, numbers, strict=True):
        short = plain(cell, size) if size else ""
        parts.append(short.rjust(size) if number else short.ljust(size))
    return plain("  ".join(parts).rstrip(), max(20, width))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(_jsonable(value))


def _is_number(cell: str) -> bool:
    try:
        float(cell or 0)
    except ValueError:
        return False
    return True


def _harmless(value: object) -> object:
    value = _jsonable(value)
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _jsonable(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.hex() if isinstance(value, bytes) else value
