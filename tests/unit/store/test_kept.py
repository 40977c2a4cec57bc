"""What is kept of models, read before the store starts: of any folder, and nothing is changed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import FolderUnusable
from agent.slots import Kept
from agent.store.kept import read_kept
from agent.store.rebuild import finish
from tests.simulators.keeping import CHANGE, KEPT, WALL, keep
from tests.simulators.old_folders import release_1
from tests.simulators.outboxes import opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    with closing(opened(path)) as outbox:
        keep(outbox)
    return path


def content(folder: Path) -> dict[Path, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {path: path.read_bytes() for path in files}


def test_nothing_is_kept_in_a_folder_that_is_not_there_new_or_of_a_release_without_models(
    tmp_path: Path,
) -> None:
    assert read_kept(tmp_path / "nosuch") == Kept()
    assert not (tmp_path / "nosuch").exists()
    assert read_kept(tmp_path) == Kept()
    (tmp_path / "state.db").touch()
    assert read_kept(tmp_path) == Kept()
    (tmp_path / "state.db").unlink()
    release_1(tmp_path)
    assert read_kept(tmp_path) == Kept()


def test_it_is_read_beside_a_running_agent_and_nothing_is_changed(folder: Path) -> None:
    with closing(opened(folder)):
        before = content(folder)
        assert read_kept(folder) == KEPT
        assert content(folder) == before


def test_a_folder_of_a_newer_release_is_refused(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as db:
        db.execute("PRAGMA user_version=6")
        assert read_kept(folder) == KEPT  # a flipped bit: a row inside tells the version, too
        db.execute("UPDATE counters SET value = 6 WHERE name = 'format'")
    with pytest.raises(FolderUnusable, match=r"version 6.*store migrate --to 5"):
        read_kept(folder)


def test_what_a_crash_left_while_the_state_was_made_anew_is_read(folder: Path) -> None:
    new = folder / "state.db.new"
    shutil.copy(folder / "state.db", new)
    (folder / "state.db").rename(folder / "away")
    assert read_kept(folder) == KEPT
    finish(folder / "state.db")
    assert not new.exists()
    assert read_kept(folder) == KEPT
    new.write_bytes(b"half of it")  # and then the old one is still there
    assert read_kept(folder) == KEPT
    finish(folder / "state.db")
    assert not new.exists()
    assert read_kept(folder) == KEPT


def test_a_log_that_a_crash_left_is_read_also_where_nothing_can_be_written(
    folder: Path, tmp_path: Path
) -> None:
    with closing(opened(folder)) as outbox:
        head = outbox.change(CHANGE, WALL, synced=True)  # stands in the log alone
        shutil.copytree(folder, tmp_path / "copy")
    index = tmp_path / "copy" / "state.db-shm"
    index.unlink()
    index.mkdir()  # SQLite cannot make its index there, not even for root
    before = content(tmp_path / "copy")
    assert read_kept(tmp_path / "copy") == replace(KEPT, audit=head)
    assert content(tmp_path / "copy") == before
