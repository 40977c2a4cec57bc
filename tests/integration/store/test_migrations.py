"""From one release's files to the next one's and back, with results that wait: none is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS
from agent.errors import FolderUnusable
from agent.sqlite import version_of
from agent.store.migrate import migrate
from agent.store.state import ASIDE, State
from tests.simulators.old_folders import EPOCH, release_1
from tests.simulators.outboxes import drained, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path


def versions(folder: Path) -> set[int | None]:
    return {version_of(path) for path in (*(folder / "segments").glob("*.db"), folder / "state.db")}


@pytest.mark.parametrize("crashed", [False, True])
def test_what_an_earlier_release_left_is_delivered(tmp_path: Path, crashed: bool) -> None:
    release_1(tmp_path, crashed=crashed)
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(lease) for lease in drained(outbox)] == [[3, 4], [5, 6]]
        assert {lease.epoch for lease in drained(outbox)} == {EPOCH}
        outbox.put([{"n": 7}], {}, "alert")
        outbox.flush()
    assert versions(tmp_path) == {2}


def test_there_and_back_again_loses_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n, stream in enumerate(STREAMS * 3):
            outbox.put([{"n": n}], {}, stream)
            outbox.flush()
        for stream in STREAMS:
            outbox.ack(outbox.epoch, 1, stream)
        outbox.settle()
        before = {stream: [numbers(lease) for lease in drained(outbox, stream=stream)] for stream in STREAMS}
    with closing(State(tmp_path / "state.db")) as state:
        state.raise_floor("root", 7)
    migrate(tmp_path, 1)
    assert versions(tmp_path) == {1}
    assert {path.name.partition("-")[0] for path in (tmp_path / "segments").glob("*.db")} == {"result"}
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:  # as release 1 asks
        assert db.execute("SELECT stream, acked, last FROM epochs ORDER BY n").fetchall() == [
            ("result", 1, 3)
        ]
    with closing(opened(tmp_path)) as outbox:
        after = {stream: [numbers(lease) for lease in drained(outbox, stream=stream)] for stream in STREAMS}
    assert after == before
    assert not (tmp_path / ASIDE).exists()
    with closing(State(tmp_path / "state.db")) as state:
        assert state.floor("root") == 7


def test_a_damaged_block_stays_one(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n in (1, 2):
            outbox.put([{"n": n}], {})
            outbox.flush()
    path = next((tmp_path / "segments").glob("*-000000000001.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE blocks SET crc = crc + 5")
    migrate(tmp_path, 1)
    with closing(opened(tmp_path)) as outbox:
        [lease] = drained(outbox)
        assert (numbers(lease), [loss.count for loss in lease.lost]) == ([2], [1])


# Ends the process at its nth commit, rename or removal.
KILLED = """
import os, shutil, sys
from pathlib import Path
from agent.store import migrate
left = int(sys.argv[2])
def dies(of):
    def instead(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return of(*args, **kwargs)
    return instead
Path.rename = dies(Path.rename)
shutil.rmtree = dies(shutil.rmtree)
migrate._change = dies(migrate._change)
migrate._merge = dies(migrate._merge)
migrate.migrate(Path(sys.argv[1]), int(sys.argv[3]))
"""


def test_a_migration_that_is_killed_at_any_step_goes_on_where_it_was(tmp_path: Path) -> None:
    for step in range(30):
        folder = tmp_path / str(step)
        folder.mkdir()
        with closing(opened(folder)) as outbox:
            for n, stream in enumerate(STREAMS):
                outbox.put([{"n": n}], {}, stream)
                outbox.flush()
        codes = []
        for to in (1, 2):
            command = [sys.executable, "-c", KILLED, str(folder), str(step), str(to)]
            codes.append(subprocess.run(command, check=False, env=os.environ).returncode)
            if codes[-1] and to == 1:
                migrate(folder, 1)
        with closing(opened(folder)) as outbox:
            found = [numbers(lease) for stream in STREAMS for lease in drained(outbox, stream=stream)]
        assert found == [[0], [1], [2]], step
        if codes == [0, 0]:
            return
    pytest.fail("it never came to its end")


def test_a_newer_releases_files_are_refused_with_the_way_back(tmp_path: Path) -> None:
    with closing(opened(tmp_path)):
        pass
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        db.execute("PRAGMA user_version=3")
        db.execute("UPDATE counters SET value = 3 WHERE name = 'format'")
    with pytest.raises(FolderUnusable, match=r"version 3.*version 2.*edge-agent store migrate --to 2"):
        opened(tmp_path)


def test_there_is_no_migration_to_what_never_was(tmp_path: Path) -> None:
    for to in (0, 3):
        with pytest.raises(FolderUnusable, match=f"there is no version {to}"):
            migrate(tmp_path, to)
