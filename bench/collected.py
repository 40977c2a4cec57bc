"""What the collector of a benchmark holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    import numpy.typing as npt


def await_collector(collector: subprocess.Popen[bytes]) -> None:
    """Wait for its ready line."""
    assert collector.stdout is not None
    line = collector.stdout.readline()
    assert b"ready" in line, f"the collector said {line!r}"


def stamps_of(folder: Path, frames: int) -> npt.NDArray[np.int64]:
    """Give the capture times of the newest run's frames, which must all be there, once."""
    with closing(sqlite3.connect(f"file:{folder / 'fleet.db'}?mode=ro", uri=True)) as db:
        (epoch,) = db.execute("SELECT epoch FROM results ORDER BY wall_ns DESC LIMIT 1").fetchone()
        query = "SELECT frame, body FROM results WHERE epoch = ? AND frame IS NOT NULL ORDER BY frame"
        rows = db.execute(query, (epoch,)).fetchall()
    assert [row[0] for row in rows] == list(range(frames)), f"{len(rows)} of {frames} frames are stored"
    return np.array([json.loads(row[1])["captured_ns"] for row in rows], dtype=np.int64)


def count_of(folder: Path) -> int:
    """Give how many results are there."""
    with closing(sqlite3.connect(f"file:{folder / 'fleet.db'}?mode=ro", uri=True)) as db:
        (count,) = db.execute("SELECT count(*) FROM results").fetchone()
    return int(count)
