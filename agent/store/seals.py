"""Rows of state.db with a checksum: what a flipped bit has changed is noticed when it is read."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from agent.errors import FileDamaged
from agent.sqlite import MOVE_AWAY, refusals

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path


def sealed(*values: str | bytes | int | None) -> tuple[str | bytes | int | None, ...]:
    """Put the CRC-32 of a row's values behind them."""
    return (*values, zlib.crc32(repr(values).encode()))


def is_sound(row: Sequence[Any]) -> bool:
    """Whether the checksum that stands last in a row holds."""
    return sealed(*row[:-1]) == tuple(row)


def read_sealed(
    db: sqlite3.Connection, path: Path, query: str, values: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Give rows without the checksum that stands last in each; it must hold.

    Args:
        db: the open file.
        path: its path, for what is said of it.
        query: a SELECT; ``crc`` is its last column.
        values: what stands for the question marks in it.

    Raises:
        StoreBusy: the disk refuses for now.
        FileDamaged: a checksum does not hold, or SQLite finds the file damaged.
    """
    with refusals("read", path):
        rows = db.execute(query, values).fetchall()
    if not all(map(is_sound, rows)):
        raise damaged(path, "a row's checksum does not hold")
    return [row[:-1] for row in rows]


def damaged(path: Path, problem: str) -> FileDamaged:
    """Say that a state is damaged."""
    return FileDamaged("read", str(path), f"it is damaged: {problem}", MOVE_AWAY)
