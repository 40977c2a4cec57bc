"""What may go wrong with a migration: damage, a disk that refuses, a broken program. Nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS
from agent.errors import FolderUnusable, StoreBusy
from agent.slots import Kept
from agent.store import disk
from agent.store.crossing import asides
from agent.store.kept import read_kept
from agent.store.migrate import migrate
from agent.store.rebuild import FLOORS_LOST, MODELS_LOST
from agent.store.state import State
from tests.simulators.keeping import keep
from tests.simulators.namespaces import namespaces_needed, run
from tests.simulators.old_folders import EPOCH, release_1
from tests.simulators.outboxes import drained, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_an_unreadable_copy_of_the_state_holds_up_no_result(tmp_path: Path, content: bytes | None) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n, stream in enumerate(STREAMS):
            outbox.put([{"n": n}], {}, stream)
        outbox.flush()
    with closing(State(tmp_path / "state.db")) as state:
        state.raise_floor("root", 7)
    migrate(tmp_path, 1)
    before = tmp_path / "release-2" / "state.db"
    if content is None:  # one flipped bit, far from the floors
        with closing(sqlite3.connect(before, isolation_level=None)) as db:
            db.execute("UPDATE epochs SET acked = acked + 1 WHERE stream = 'alert'")
    else:
        before.write_bytes(content)
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(one) for stream in STREAMS for one in drained(outbox, stream=stream)] == [
            [0],
            [1],
            [2],
        ]
    with closing(State(tmp_path / "state.db")) as state:
        counted = state.counters()
        assert state.floor("root") == 7  # of the newer copy
        assert counted.get(FLOORS_LOST, 0) == counted.get(MODELS_LOST, 0) == (content is not None)
    assert asides(tmp_path) == []


def test_unreadable_copies_of_two_releases_are_counted_and_hold_up_no_result(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}], {}, "alert")
        outbox.flush()
        keep(outbox)
    migrate(tmp_path, 1)
    for aside in asides(tmp_path):
        (aside / "state.db").write_bytes(b"no database")
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(one) for one in drained(outbox, stream="alert")] == [[1]]
    with closing(State(tmp_path / "state.db")) as state:
        counted = state.counters()
        assert (counted[FLOORS_LOST], counted[MODELS_LOST]) == (1, 2)  # one time for each copy
    assert read_kept(tmp_path) == Kept()


def test_a_lost_state_does_not_keep_what_was_set_aside(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}], {}, "alert")
        outbox.flush()
    migrate(tmp_path, 1)
    (tmp_path / "state.db").unlink()
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(one) for one in drained(outbox, stream="alert")] == [[1]]


@pytest.mark.parametrize("damaged", ["segment", "table", "begun", "state", "state table"])
def test_damage_does_not_hold_up_an_upgrade(tmp_path: Path, damaged: str) -> None:
    release_1(tmp_path)
    path = tmp_path / (
        "state.db" if damaged.startswith("state") else f"segments/result-{EPOCH}-000000000003.db"
    )
    match damaged:
        case "segment" | "state":
            path.write_bytes(b"x" * path.stat().st_size)
        case "begun":
            (tmp_path / "segments" / f"result-{EPOCH}-000000000007.db").touch()
        case _:
            with closing(sqlite3.connect(path)) as db:
                db.execute(f"ALTER TABLE {'epochs' if 'state' in damaged else 'blocks'} RENAME TO locks")
    with closing(opened(tmp_path)) as outbox:
        found = [n for lease in drained(outbox) for n in numbers(lease)]
    assert found == {"segment": [5, 6], "begun": [3, 4, 5, 6], "table": [3, 4, 5, 6]}.get(
        damaged, [1, 2, 3, 4, 5, 6]
    )


def test_a_state_that_somebody_reads_is_not_set_aside_without_its_log(tmp_path: Path) -> None:
    with closing(opened(tmp_path)), closing(State(tmp_path / "state.db")) as state:
        pass
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM floors").fetchall()
        with closing(State(tmp_path / "state.db")) as state:
            state.raise_floor("root", 7)
        with pytest.raises(StoreBusy, match=r"another program reads it\. Close whatever else"):
            migrate(tmp_path, 1)
    migrate(tmp_path, 1)
    migrate(tmp_path)
    with closing(State(tmp_path / "state.db")) as state:
        assert state.floor("root") == 7


def test_files_of_others_come_through(tmp_path: Path) -> None:
    with closing(opened(tmp_path)):
        (tmp_path / "segments" / "notes.txt").write_text("mine")
    migrate(tmp_path, 1)
    migrate(tmp_path)
    assert (tmp_path / "segments" / "notes.txt").read_text() == "mine"


def test_on_the_way_down_damage_is_told_with_what_mends_it(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}], {})
        outbox.flush()
    path = next((tmp_path / "segments").glob("*.db"))
    path.write_bytes(b"x" * 4096)
    with pytest.raises(FolderUnusable, match=r"it is damaged.*Run first: edge-agent store verify --repair"):
        migrate(tmp_path, 1)


def test_a_newer_releases_files_are_not_migrated(tmp_path: Path) -> None:
    with closing(opened(tmp_path)):
        pass
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("PRAGMA user_version=6")
    for to in (1, 2, 3, 4, 5):
        with pytest.raises(
            FolderUnusable, match=r"version 6\. Have the newer agent run: edge-agent store migrate --to 5"
        ):
            migrate(tmp_path, to)


def test_a_disk_that_refuses_a_migration_is_tried_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}], {}, "alert")
        outbox.flush()
    name = next((tmp_path / "segments").glob("alert-*.db"))
    migrate(tmp_path, 1)
    name.mkdir()
    outbox = opened(tmp_path)
    with closing(outbox):
        assert isinstance(outbox.problem, StoreBusy)
        assert f"{name.name}: the file does not open" in outbox.problem.problem  # the program's own words
        name.rmdir()
        outbox.attach()
        assert [numbers(lease) for lease in drained(outbox, stream="alert")] == [[1]]


def test_a_migration_that_a_full_disk_refuses_gets_the_ballasts_room(tmp_path: Path) -> None:
    namespaces_needed(tmp_path)
    said = run(
        """
from agent.store.outbox import Outbox
from tests.simulators.keeping import KEPT, keep
from tests.simulators.namespaces import namespaces_needed, run
from tests.simulators.old_folders import release_1
mount("size=2m")
release_1(folder)
(folder / "ballast").write_bytes(bytes(512 << 10))
fill()
outbox = Outbox(folder, clock=SystemClock(), settings=StoreSettings(ballast_bytes=512 << 10))
print(outbox.problem, outbox.attached, (folder / "ballast").exists())
outbox.close()
""",
        tmp_path,
        namespace=True,
    )
    assert said == "None True False\n"


def test_a_migration_that_hangs_is_ended_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_1(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_MIGRATION_S", 0.01)
        outbox = opened(tmp_path)
    with closing(outbox):
        assert isinstance(outbox.problem, StoreBusy)
        assert "goes on at the next try" in outbox.problem.problem
        outbox.attach()
        assert outbox.attached


def test_a_migration_that_cannot_run_at_all_says_why_and_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    release_1(folder)
    (tmp_path / "sqlite_utils.py").write_text(
        f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\nraise ImportError('it is broken')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(
        FolderUnusable, match=r"ImportError: it is broken\. See what it says: edge-agent store migrate"
    ):
        opened(folder)
    assert (tmp_path / "runs").read_text() == "x"
