"""Bring the files of a data folder from one release's format to another's, up or down.

``python -m agent.store.migrate FOLDER [--to N]``: a program of its own, so that the agent never loads what
only migrations need. Whoever starts it holds the folder. A mark stands in the folder until all is done. Each
file changes in one transaction, and state.db last of all: whatever interrupts it, the next run goes on.

On the way down, what the earlier release does not know is put into the folder ``release-N``, with the state
as it was; the way up takes it back. Release 1 knew one stream, release 2 neither models nor the audit log,
release 3 no choices of the tuner.
On the way up damage holds up nothing: the store sets it aside later. On the way down it is refused, and what
was begun is undone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, FileDamaged, FolderUnusable, StoreBusy
from agent.files import sync_folder, write_durably
from agent.sqlite import refusals, version_of
from agent.store import crossing, state
from agent.store.custody import SINCE
from agent.store.disk import REFUSALS
from agent.store.migrate_steps import SHARED, add_epoch, change, refused, version_in
from agent.store.rebuild import MODELS_LOST, finish, rebuilt
from agent.store.rescue import MODELS, rescued
from agent.store.state import State

CURRENT = state.FORMAT.version
OLDEST = 1
_SHARED_TABLES = ("losses", "counters", "floors", "inbox")
"""What release 2 knows besides epochs, and release 1 does not."""


def migrate(folder: Path, to: int = CURRENT) -> list[str]:
    """Bring every file in ``folder`` to version ``to``; give the names of those that changed.

    Raises:
        StoreBusy: the disk refuses for now; what is done stays done.
        FolderUnusable: there is no such version; on the way down, a file is damaged.
    """
    if not OLDEST <= to <= CURRENT:
        problem = f"there is no version {to}"
        raise FolderUnusable("migrate", str(folder), problem, f"Take {OLDEST} to {CURRENT}")
    crossing.check(folder)
    path = folder / "state.db"
    finish(path)
    found = _version(path)
    if found is not None and found > CURRENT:
        hint = f"Have the newer agent run: edge-agent store migrate --to {CURRENT}"
        raise FolderUnusable("migrate", str(path), f"its format is version {found}", hint)
    before = {file: _version(file) for file in _files(folder)}
    if to == CURRENT:
        _up(folder)
    else:
        _down(folder, to)
    return [file.name for file, version in before.items() if _version(file) not in {version, None}]


def _files(folder: Path) -> list[Path]:
    """The segments, and state.db last."""
    return [*sorted((folder / "segments").glob("*.db")), folder / "state.db"]


def _version(path: Path) -> int | None:
    """The version of a file's format; None when it is not there, was only begun, or is no database."""
    try:
        return version_of(path)
    except FileDamaged:
        return None


def _up(folder: Path) -> None:
    """Bring everything to this release's version, and take back what was set aside."""
    files = _files(folder)
    old = [file for file in files if (_version(file) or CURRENT) < version_in(file, CURRENT)]
    if old or crossing.cut_off(folder):
        crossing.begin(folder)
    for file in old:
        change(file, version_in(file, CURRENT))
    path = files[-1]
    if path.exists() or crossing.asides(folder):
        _make_sound(path, CURRENT, None)
    for aside in crossing.asides(folder):
        _take_back(folder, aside)
    crossing.end(folder)


def _down(folder: Path, to: int) -> None:
    """Go down version by version, from a folder that is whole; what cannot be finished is undone."""
    for file in _files(folder):
        _refuse_damage(file)
    found = _version(folder / "state.db") or CURRENT
    if found < to or not _whole(folder, found):
        _up(folder)
        found = CURRENT
    if found == to:
        return
    crossing.begin(folder)
    try:
        for version in range(found, to, -1):
            _set_aside(folder, version)
            for file in _files(folder):
                change(file, version_in(file, version - 1))
    except FolderUnusable:
        _up(folder)
        raise
    crossing.end(folder)


def _whole(folder: Path, version: int) -> bool:
    """Whether all files are of one version, and nothing stands aside that it knows."""
    aside = any(crossing.aside(folder, known).is_dir() for known in range(2, version + 1))
    versions = {_version(file) in {version_in(file, version), None} for file in _files(folder)}
    return not (aside or (folder / crossing.MARK).exists() or False in versions)


def _refuse_damage(path: Path) -> None:
    try:
        if version_of(path) == CURRENT == version_in(path, CURRENT):
            State(path).close()
    except FileDamaged as error:
        raise refused(path, error) from error


def _set_aside(folder: Path, version: int) -> None:
    """Keep what came with ``version``: the whole state, and below version 2 the other streams' segments."""
    aside = crossing.aside(folder, version)
    path = folder / "state.db"
    with refusals("set aside", folder):
        aside.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder)
        if path.exists():
            _fold_in(path)
            write_durably(aside / path.name, path.read_bytes())
        if version == 2 and (folder / "segments").is_dir():
            for file in (folder / "segments").iterdir():
                if not file.name.startswith(f"{SHARED}-"):
                    file.rename(aside / file.name)
            sync_folder(aside)
            sync_folder(folder / "segments")


def _fold_in(path: Path) -> None:
    """Bring what stands in the log into the file.

    Raises:
        StoreBusy: another program reads it.
    """
    with closing(Database(path)) as db:
        db.conn.execute("PRAGMA busy_timeout=1000")
        held, *_ = db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if held:  # then a copy would be without what stands in the log
        problem, hint = "another program reads it", "Close whatever else has it open"
        raise StoreBusy("set aside", str(path), problem, hint)


def _take_back(folder: Path, aside: Path) -> None:
    """Files first, the state's rows next, the folder last: whatever is cut off is done again."""
    before = aside / "state.db"
    with refusals("take back", folder):
        for file in aside.iterdir():
            if file.is_file() and before.name not in file.name:
                file.rename(folder / "segments" / file.name)
                sync_folder(folder / "segments")
        sync_folder(aside)
        if before.exists():
            if aside == crossing.aside(folder, 2):
                _take_back_streams(folder / "state.db", before)
            else:
                _take_back_rows(folder / "state.db", before, crossing.version_of(aside))
            before.unlink()
            sync_folder(aside)  # if it came back, its rows would bring back what was delivered since
        shutil.rmtree(aside)
        sync_folder(folder)


def _take_back_streams(path: Path, before: Path) -> None:
    """Take back what release 1 did not know: other streams, losses, counters, floors, commands."""
    change(before, CURRENT)
    _make_sound(before, CURRENT)
    with closing(Database(path)) as db:
        _merge(db, before)


def _take_back_rows(path: Path, before: Path, version: int) -> None:
    """Take back what came with a version: the models and the audit log, or what the tuner chose.

    Of the tables that the release before knew, its own rows count.
    """
    found = rescued(before)
    tables = {table: rows for table, rows in found.tables.items() if SINCE[table] == version}
    with closing(State(path)) as here:
        here.restore(found.floors, tables)
        if version == MODELS and not found.models_certain:
            here.add(MODELS_LOST, 1)


def _make_sound(path: Path, *expected: int | None) -> None:
    """See to it that a state can be read: one that cannot is made anew, with what can be read of it."""
    if path.exists() and _version(path) not in expected:
        error = FileDamaged("read", str(path), "it is damaged or empty")
        rebuilt(path, error, noted=False).close()
        return
    try:
        State(path).close()
    except FileDamaged as error:
        rebuilt(path, error, noted=False).close()


def _merge(db: Database, before: Path) -> None:
    db.conn.execute("PRAGMA synchronous=FULL")
    db.attach("before", before)
    with db.conn:
        for row in list(db.query("SELECT * FROM before.epochs WHERE stream != ? ORDER BY n", (SHARED,))):
            add_epoch(db.conn, row)
        for table in _SHARED_TABLES:
            db.conn.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM before.{table}")  # noqa: S608


def main(arguments: list[str] | None = None) -> int:
    """Run as a program; give the exit code."""
    parser = argparse.ArgumentParser(description="Bring a data folder to another version of its format.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=int, default=CURRENT, metavar="N")
    parsed = parser.parse_args(arguments)
    try:
        print("\n".join(migrate(parsed.folder, parsed.to)))
    except AgentError as error:
        print(error, file=sys.stderr)
        return next((code for code, kind in REFUSALS.items() if isinstance(error, kind)), EXIT_FAILED)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
