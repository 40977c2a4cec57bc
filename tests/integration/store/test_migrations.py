"""From one release's files to the next one's and back, with results that wait: none is lost."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS
from agent.errors import FolderUnusable
from agent.sqlite import version_of
from agent.store import crossing
from agent.store import migrate as migration
from agent.store.crossing import asides
from agent.store.custody import SINCE
from agent.store.kept import read_kept
from agent.store.migrate import migrate
from agent.store.purge import purge
from agent.store.seals import sealed
from agent.store.state import State
from agent.store.verify import mend
from tests.simulators.keeping import CHANGE, KEPT, NOTES, WALL, keep
from tests.simulators.old_folders import EPOCH, release_1
from tests.simulators.outboxes import drained, numbers, opened

if TYPE_CHECKING:
    from collections.abc import Callable


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
    assert versions(tmp_path) == {2, 5}


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
    assert asides(tmp_path) == []
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


STEPS = (
    (Path, "rename"),
    (Path, "unlink"),
    (shutil, "rmtree"),
    (migration, "change"),
    (migration, "_merge"),
    (State, "restore"),
)


def killed(folder: Path, to: int, after: int) -> bool:
    """Migrate in a process that ends itself after so many steps; say whether it came to that."""
    if (child := os.fork()) == 0:
        steps = itertools.count()

        def deadly(step: Callable[..., object]) -> Callable[..., object]:
            def instead(*args: object, **more: object) -> object:
                if next(steps) >= after:
                    os._exit(9)
                return step(*args, **more)

            return instead

        code = 1
        try:
            for owner, name in STEPS:
                setattr(owner, name, deadly(getattr(owner, name)))
            migrate(folder, to)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 9}
    return code == 9


def test_a_migration_that_is_killed_at_any_step_goes_on_where_it_was(tmp_path: Path) -> None:
    for step in range(60):
        folder = tmp_path / str(step)
        folder.mkdir()
        with closing(opened(folder)) as outbox:
            for n, stream in enumerate(STREAMS):
                outbox.put([{"n": n}], {}, stream)
                outbox.flush()
            keep(outbox)
        deaths = 0
        for to in (1, 5):
            if killed(folder, to, step):
                deaths += 1
                assert read_kept(folder) == KEPT, step
                migrate(folder, to)
            assert read_kept(folder) == KEPT, step
        with closing(opened(folder)) as outbox:
            found = [numbers(lease) for stream in STREAMS for lease in drained(outbox, stream=stream)]
        assert found == [[0], [1], [2]], step
        assert read_kept(folder) == KEPT, step
        if not deaths:
            return
    pytest.fail("it never came to its end")


def test_a_newer_releases_files_are_refused_with_the_way_back(tmp_path: Path) -> None:
    with closing(opened(tmp_path)):
        pass
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        db.execute("PRAGMA user_version=6")
        db.execute("UPDATE counters SET value = 6 WHERE name = 'format'")
    with pytest.raises(FolderUnusable, match=r"version 6.*version 5.*edge-agent store migrate --to 5"):
        opened(tmp_path)


def test_there_is_no_migration_to_what_never_was(tmp_path: Path) -> None:
    for to in (0, 6):
        with pytest.raises(FolderUnusable, match=f"there is no version {to}"):
            migrate(tmp_path, to)


@pytest.mark.parametrize("down", [(3,), (2,), (1,), (3, 2, 1)])
def test_models_and_the_audit_log_come_back_after_an_older_release(
    tmp_path: Path, down: tuple[int, ...]
) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}], {})
        outbox.flush()
        keep(outbox)
    for to in down:
        migrate(tmp_path, to)
        assert version_of(tmp_path / "state.db") == to
        assert read_kept(tmp_path) == KEPT  # before the store has migrated, and on a disk that lets it not
    with closing(opened(tmp_path)) as outbox:
        assert read_kept(tmp_path) == KEPT
        assert [numbers(lease) for lease in drained(outbox)] == [[1]]
        assert outbox.change(CHANGE, WALL, synced=True)[0] == KEPT.audit[0] + len(NOTES)
    assert asides(tmp_path) == []


def test_release_2_finds_its_own_tables_and_its_own_mark(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        keep(outbox)
    migrate(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"epochs", "losses", "counters", "floors", "inbox"}
        assert db.execute("SELECT value FROM counters WHERE name = 'format'").fetchone() == (2,)
        assert dict(db.execute("SELECT name, version FROM floors")) == dict(KEPT.floors)


def test_release_3_finds_its_own_tables_and_its_word_on_them_counts(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        keep(outbox)
    migrate(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"epochs", "losses", "counters", "floors", "inbox", *SINCE} - {"tuned", "commands"}
        assert db.execute("SELECT value FROM counters WHERE name = 'format'").fetchone() == (3,)
        db.execute("DELETE FROM slots WHERE slot = 'candidate'")  # as it activates or gives up a model
    expected = replace(KEPT, slots=KEPT.slots[:1])
    assert read_kept(tmp_path) == expected
    with closing(opened(tmp_path)):
        assert read_kept(tmp_path) == expected
    assert asides(tmp_path) == []


def test_a_floor_that_release_2_raised_stays_raised(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        keep(outbox)
    migrate(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        db.execute("REPLACE INTO floors VALUES (?, ?, ?)", sealed("tuf/root", 9))
    assert read_kept(tmp_path).floors["tuf/root"] == 9
    with closing(opened(tmp_path)):
        assert read_kept(tmp_path) == replace(KEPT, floors={**KEPT.floors, "tuf/root": 9})


def test_a_migration_that_a_newer_release_left_half_done_is_that_releases_to_finish(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        keep(outbox)
    (tmp_path / "migrating").write_text("6\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    said = r"from or to version 6 was cut off.*the newer agent finish it: edge-agent store migrate --to 5"
    for attempt in (opened, migrate, mend, purge, read_kept):
        with pytest.raises(FolderUnusable, match=said):
            attempt(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_mends_and_deletes_waits_for_a_migration_that_was_cut_off(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}], {}, "alert")
        outbox.flush()
    crossing.begin(tmp_path)
    for attempt in (mend, purge):
        with pytest.raises(
            FolderUnusable, match=r"cut off\. Start the agent, or run: edge-agent store migrate"
        ):
            attempt(tmp_path)
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(lease) for lease in drained(outbox, stream="alert")] == [[1]]
    assert not (tmp_path / crossing.MARK).exists()
    assert mend(tmp_path) == []


def test_a_way_down_that_meets_damage_is_undone(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n, stream in enumerate(STREAMS):
            outbox.put([{"n": n}], {}, stream)
            outbox.flush()
        keep(outbox)
    [path] = (tmp_path / "segments").glob("result-*.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE blocks RENAME TO locks")  # found only when its turn has come
    with pytest.raises(FolderUnusable, match="Run first: edge-agent store verify --repair"):
        migrate(tmp_path, 1)
    assert versions(tmp_path) == {2, 5}
    assert asides(tmp_path) == []
    mend(tmp_path)
    assert migrate(tmp_path, 1) != []
    with closing(opened(tmp_path)) as outbox:
        found = [numbers(lease) for stream in STREAMS for lease in drained(outbox, stream=stream)]
    assert found == [[n] for n in range(len(STREAMS))]
    assert read_kept(tmp_path) == KEPT
