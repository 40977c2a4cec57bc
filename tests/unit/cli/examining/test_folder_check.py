"""What edge-agent check says of a data folder: what run would do, and nothing is touched."""

from __future__ import annotations

import argparse
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.cli.device import service
from agent.cli.device.folders import data_folder
from agent.cli.device.settings import Loaded
from agent.cli.examining.folder_check import examine
from agent.errors import ConfigInvalid, FolderUnusable
from agent.store import crossing
from agent.store.folder import DataFolder
from agent.store.migrate import migrate
from tests.simulators.outboxes import fill, opened

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the device "gate" in which results wait."""
    path = tmp_path / "data"
    DataFolder(path, "gate").close()
    with closing(opened(path)) as outbox:
        fill(outbox, 3)
    return path


def content(folder: Path) -> dict[Path, bytes]:
    """All but the indexes of logs, in which SQLite notes who reads."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {path: path.read_bytes() for path in files}


def set_version(folder: Path, version: int) -> None:
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as db:
        db.execute(f"PRAGMA user_version={version}")


def test_a_folder_that_a_running_agent_holds_is_well_and_stays_as_it_is(folder: Path) -> None:
    with DataFolder(folder, "gate"), closing(opened(folder)):
        before = content(folder)
        assert examine(folder, "gate") == str(folder)
        assert content(folder) == before


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert examine(tmp_path / "a" / "b", "gate") == f"{tmp_path}/a/b, which run makes"
    assert list(tmp_path.iterdir()) == []


def test_what_run_migrates_or_mends_is_told_and_left_to_it(folder: Path) -> None:
    migrate(folder, 1)
    before = content(folder)
    told = "its files are of version 1, and run will bring them to version 5"
    assert examine(folder, "gate") == f"{folder}: {told}"
    assert content(folder) == before
    (folder / "state.db").write_bytes(b"no database")
    assert examine(folder, "gate") == f"{folder}: state.db is damaged, and run will make it anew"
    assert (folder / "state.db").read_bytes() == b"no database"


def test_a_migration_that_was_cut_off_is_told_and_left_to_run(folder: Path) -> None:
    crossing.begin(folder)
    before = content(folder)
    assert examine(folder, "gate") == f"{folder}: a migration of it was cut off, and run will finish it"
    assert content(folder) == before
    (folder / crossing.MARK).write_text("6\n")
    with pytest.raises(FolderUnusable, match="version 6 was cut off"):
        examine(folder, "gate")


def test_what_run_refuses_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="records of the device 'gate' wait in it"):
        examine(folder, "yard")
    set_version(folder, 6)
    with pytest.raises(FolderUnusable, match="its format is version 6, this agent reads version 5"):
        examine(folder, "gate")
    (folder / "state.db").unlink()
    with closing(sqlite3.connect(folder / "state.db")) as db:
        db.execute("PRAGMA user_version=5")
    with pytest.raises(FolderUnusable, match="this file is not the agent's"):
        examine(folder, "gate")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderUnusable, match="it is not a folder"):
        examine(tmp_path / "file", "gate")


def test_every_command_finds_the_services_folder_by_the_services_configuration_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in service.PLACES:  # first, so that what look_as sets is taken back, too
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    theirs, own = tmp_path / "etc" / "agent.toml", tmp_path / "agent.toml"
    theirs.parent.mkdir()
    monkeypatch.setattr(service, "CONFIG", theirs)
    places = {name: tmp_path / name.lower() for name in service.PLACES}
    monkeypatch.setattr(service, "PLACES", places)
    (tmp_path / "private").mkdir()
    places["STATE_DIRECTORY"].symlink_to(tmp_path / "private")
    for path in (theirs, own):
        path.write_text(CONFIG)

    def named(config: Path | None) -> Path:
        return data_folder(argparse.Namespace(folder=None, config=config))

    mine = tmp_path / "mine" / "edge-agent"
    assert (named(own), Loaded(own).plan().data) == (mine, mine)
    assert Loaded(theirs).plan().data == mine  # run by hand is not the service
    assert (named(None), named(theirs)) == (places["STATE_DIRECTORY"], places["STATE_DIRECTORY"])
    assert Loaded(theirs).plan().data == places["STATE_DIRECTORY"]  # check, from here on
    theirs.write_text(f'[store]\npath = "elsewhere"\n{CONFIG}')
    assert (named(None), Loaded(theirs).plan().data) == (theirs.parent / "elsewhere",) * 2
