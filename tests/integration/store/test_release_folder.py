"""A folder that another release's own code has written: taken over by this one, and given back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.blocks import unpack
from agent.sqlite import version_of
from agent.store.kept import read_kept
from agent.store.migrate import migrate
from tests.simulators.keeping import KEPT
from tests.simulators.outboxes import drained, opened

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of what it left: results of a pipeline, and rows of each kind."""
    return shutil.copytree(DATA / "folder-v4", tmp_path / "data")


def waiting(folder: Path) -> int:
    """How many results are on the disk, as SQLite itself counts them."""
    count = 0
    for path in (folder / "segments").glob("result-*.db"):
        with closing(sqlite3.connect(path)) as db:
            count += db.execute("SELECT sum(count) FROM blocks").fetchone()[0]
    return count


def rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the state, by table."""
    with closing(sqlite3.connect(folder / "state.db")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for (table,) in tables}  # noqa: S608


def test_all_that_the_release_before_has_written_is_there_after_an_upgrade(folder: Path) -> None:
    count = waiting(folder)
    assert count > 50
    with closing(opened(folder)) as outbox:
        found = [record for lease in drained(outbox) for block in lease.blocks for record in unpack(block)[0]]
    assert read_kept(folder) == replace(KEPT, commands=())
    assert len(found) == count
    assert {record["pipeline"] for record in found} == {"door"}
    assert version_of(folder / "state.db") == 5


def test_the_way_back_leaves_each_row_as_the_release_before_wrote_it(folder: Path) -> None:
    before, count = rows(folder), waiting(folder)
    migrate(folder)
    assert version_of(folder / "state.db") == 5
    migrate(folder, 4)
    assert version_of(folder / "state.db") == 4
    assert (rows(folder), waiting(folder)) == (before, count)
