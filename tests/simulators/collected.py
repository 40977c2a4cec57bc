"""What a collector's database says of what came: the one place in the tests of kills that has its tables."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TWICE = """
    SELECT coalesce(sum(n - 1), 0) FROM (
        SELECT count(*) AS n FROM results WHERE kind != 'failed'
        GROUP BY device, epoch, pipeline, frame HAVING n > 1
    )
"""
_LEDGERS = "SELECT stream, epoch, pipeline, counts FROM ledgers"
_RESULTS = """
    SELECT stream, epoch, pipeline, count(*) FROM results
    WHERE kind != 'failed'
    GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Accounts:
    """What became of the records of a device.

    Attributes:
        stored: records that the collector has.
        lost: records that the device declared as lost.
        missing: records that were committed, or stand before one that came, and are neither.
        duplicated: results that came twice under different numbers.
        unbalanced: ledgers that do not balance, or name other numbers than what was stored; in words.
    """

    stored: int
    lost: int
    missing: int
    duplicated: int
    unbalanced: tuple[str, ...]


def accounts(database: Path, committed: Mapping[tuple[str, str], int]) -> Accounts:
    """Compare what is stored with what was seen to be committed, by stream and epoch."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        (stored,) = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM have").fetchone()
        (lost,) = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM gaps").fetchone()
        (twice,) = db.execute(_TWICE).fetchone()
        wanted = dict(committed)
        for stream, epoch, last in db.execute("SELECT stream, epoch, max(last) FROM have GROUP BY 1, 2"):
            wanted[stream, epoch] = max(last, wanted.get((stream, epoch), 0))
        return Accounts(stored, lost, sum(wanted.values()) - stored - lost, twice, tuple(_unbalanced(db)))


def _unbalanced(db: sqlite3.Connection) -> list[str]:
    results = {tuple(place): count for *place, count in db.execute(_RESULTS)}
    found = []
    for stream, epoch, pipeline, text in db.execute(_LEDGERS):
        counts = json.loads(text)
        ends = sum(sum(counts.get(account, {}).values()) for account in ("filtered", "dropped", "failed"))
        settled = counts["inferred"] + counts["gated"] + counts["lost"] + ends + counts["in_flight"]
        if counts["captured"] != settled:
            found.append(f"{pipeline} of {epoch} does not balance: {text}")
        stored = results.get((stream, epoch, pipeline), 0)
        if counts["inferred"] != stored:
            found.append(f"{pipeline} of {epoch}: {stored} are stored of {text}")
    return found


def ranges_of(db: sqlite3.Connection, epoch: str) -> list[tuple[int, int]]:
    """What is stored of the results of an epoch, as ranges in order."""
    query = "SELECT first, last FROM have WHERE stream = 'result' AND epoch = ? ORDER BY first"
    return db.execute(query, (epoch,)).fetchall()


def results_after(db: sqlite3.Connection, but: str, seq: int) -> list[tuple[int, int]]:
    """Number and wall time (ns) of the results after ``seq`` that are not of the epoch ``but``, in order."""
    query = "SELECT DISTINCT epoch FROM have WHERE stream = 'result' AND epoch != ?"
    found: list[tuple[int, int]] = []
    for (epoch,) in db.execute(query, (but,)).fetchall():
        where = "device = 'gate' AND stream = 'result' AND epoch = ? AND seq > ?"
        found += db.execute(f"SELECT seq, wall_ns FROM results WHERE {where}", (epoch, seq))  # noqa: S608
    return sorted(found)
