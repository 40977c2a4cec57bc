"""Look into a data folder and write nothing there, not even while an agent writes in it.

A segment that is written no more is read as it stands. The one being written is read beside its log, as
SQLite lets any number of readers do: they never hold up the writer. What is unlinked meanwhile was delivered,
or given up, and is left out.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from agent.errors import AgentError, FileDamaged, FolderUnusable, StoreBusy
from agent.sqlite import refusals
from agent.store.chain import SegmentName
from agent.store.repair import sound_blocks
from agent.store.segment import checksum, rows_of
from agent.store.state import FORMAT, EpochRow, State

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from agent.blocks import Block, Loss, Stream

_OP = "look into"
_MADE = "SELECT EXISTS (SELECT 1 FROM sqlite_schema) OR application_id FROM pragma_application_id"
"""False for a file that was begun a moment ago, or just before a crash."""
_MOST = 65536
"""Records in a block, at the most."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment file as it was listed; ``size`` is in bytes, its log included."""

    name: SegmentName
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a segment gave.

    Attributes:
        blocks: all that are sound, in order.
        holes: first and last record of what is damaged, or missing between two blocks.
        damaged: whether some block is there whose checksum does not hold, or SQLite finds the file damaged;
            else holes were there when the file was written anew, without what was lost.
        problem: what SQLite says of the file; "" when it finds nothing wrong.
    """

    blocks: tuple[Block, ...]
    holes: tuple[tuple[int, int], ...]
    damaged: bool
    problem: str


@dataclass(frozen=True, slots=True)
class StateLook:
    """What state.db tells; without rows when it is not there or damaged, and then ``problem`` says so."""

    epochs: tuple[EpochRow, ...] = ()
    losses: Mapping[tuple[Stream, str], list[Loss]] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def segment_files(folder: Path) -> list[SegmentFile]:
    """List the segments: each epoch's in order, and the epochs as they began.

    That is the order of state.db. Epochs that are not in it come last, by powered time.

    Raises:
        FolderUnusable: there is no such folder, or it may not be read.
    """
    found: dict[tuple[str, str], list[SegmentFile]] = {}
    for path in _listed(folder):
        if (name := SegmentName.parse(path.name)) is None:
            continue
        if (status := _status(path)) is not None:
            log = _status(path.with_name(f"{path.name}-wal"))
            file = SegmentFile(name, path, status.st_size + (log.st_size if log else 0))
            found.setdefault((name.stream, name.epoch), []).append(file)
    known = _known_order(folder)
    ages = {place: began(_oldest(files).path) for place, files in found.items() if place not in known}
    ordered = [*sorted(found.keys() & known, key=known.__getitem__), *sorted(ages, key=ages.__getitem__)]
    return [file for place in ordered for file in sorted(found[place], key=lambda one: one.name.first)]


def _oldest(files: Iterable[SegmentFile]) -> SegmentFile:
    return min(files, key=lambda one: one.name.first)


def _known_order(folder: Path) -> dict[tuple[str, str], int]:
    try:
        rows = look_at_state(folder).epochs
    except AgentError:  # of another version, or it cannot be read for now
        return {}
    return {(row.stream, row.epoch): n for n, row in enumerate(rows)}


def began(path: Path) -> tuple[int, int]:
    """When a segment's oldest record was made, to sort by: wall clocks step, so their word comes second.

    Returns:
        Seconds of powered time, -1 where it does not say; and the file's time of change, ns.
    """
    try:
        changed = path.stat().st_mtime_ns
        with read_only(path) as db:
            row = db.execute("SELECT min(powered_s) FROM blocks").fetchone()
    except (OSError, AgentError, sqlite3.Error):
        return -1, 0
    return -1 if row[0] is None else int(row[0]), changed


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None  # delivered, or given up, a moment ago


def _listed(folder: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            hint = "The agent makes it when it runs; or name another: --folder DIR, or --config FILE"
            raise FolderUnusable(_OP, str(folder), "there is no such folder", hint)
        return list((folder / "segments").iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        hint = "Run this as root, or as the agent's user"
        raise FolderUnusable(_OP, str(folder), error.strerror or str(error), hint) from error


def look(file: SegmentFile) -> Look | None:
    """Read every block of a segment; None when it has been unlinked.

    Raises:
        StoreBusy: it cannot be read for now.
    """
    problem, damaged, tail = "", False, 0
    blocks: tuple[Block, ...] = ()
    try:
        with read_only(file.path) as db:
            if not db.execute(_MADE).fetchone()[0]:
                return Look((), (), damaged=False, problem="")
            rows = list(rows_of(db))
            blocks = tuple(block for block, crc in rows if checksum(block) == crc)
            damaged = len(blocks) < len(rows) or len(rows) < _rows(db)
            tail = _tail(rows, blocks[-1].last if blocks else file.name.first - 1)
    except FileNotFoundError:
        return None
    except FileDamaged as error:
        problem = error.problem
    except sqlite3.Error as error:  # a flipped bit can rename a table
        problem = f"it is damaged: {error}"
    if problem or damaged or any(_holes(file, blocks)):
        if not file.path.exists():
            return None
        if file.path.is_file():
            blocks = sound_blocks(file.path) or blocks
    return Look(blocks, tuple(_holes(file, blocks, tail)), damaged or bool(problem), problem)


def count(file: SegmentFile) -> tuple[int, int]:
    """How many blocks and records a segment has; reads no block. None that can be counted: (0, 0)."""
    try:
        with read_only(file.path) as db:
            row = db.execute("SELECT count(*), total(count) FROM blocks").fetchone()
    except (OSError, AgentError, sqlite3.Error):
        return 0, 0
    return int(row[0]), int(row[1])


def _rows(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM blocks").fetchone()[0])


def edge_times(file: SegmentFile) -> tuple[int | None, int | None]:
    """Wall time of a segment's first record and of its last, ns since 1970; None where it does not say."""
    query = "SELECT {} FROM blocks ORDER BY first {} LIMIT 1"
    try:
        with read_only(file.path) as db:
            oldest = db.execute(query.format("from_ns", "ASC")).fetchone()
            newest = db.execute(query.format("to_ns", "DESC")).fetchone()
    except (OSError, AgentError, sqlite3.Error):
        return None, None
    return (oldest[0], newest[0]) if oldest and newest else (None, None)


def look_at_state(folder: Path) -> StateLook:
    """Read state.db.

    Raises:
        StoreBusy: it cannot be read for now.
        FolderUnusable: it is of another version.
    """
    path = folder / "state.db"
    try:
        with read_only(path) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != FORMAT.version and version:
                raise of_another_version(path, version)
            state = State(path, reading=db)
            return StateLook(tuple(state.epochs()), state.losses(), state.counters())
    except FileNotFoundError:
        return StateLook(problem="it is not there")
    except FileDamaged as error:
        return StateLook(problem=error.problem)
    except sqlite3.Error as error:
        return StateLook(problem=str(error))


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database of ours for reading; from a copy when it cannot be read where it stands.

    Raises:
        FileNotFoundError: it is not there (any more).
        StoreBusy: it cannot be read for now.
        FileDamaged: it is no database, or a damaged one.
    """
    log = path.with_name(f"{path.name}-wal")
    for file in (path, log):
        if file.exists() and not file.is_file():  # opening a pipe would wait for its other end
            raise FileDamaged("read", str(file), "it is no regular file")
    with ExitStack() as stack:
        try:
            logged = log.exists()
            db = _connected(stack, path, "mode=ro" if logged else "mode=ro&immutable=1")
        except StoreBusy:
            if not path.exists():
                raise FileNotFoundError(path) from None
            db = _connected(stack, _copied(path, stack), "mode=rw")
        stack.enter_context(refusals("read", path))
        yield db


def _copied(path: Path, stack: ExitStack) -> Path:
    """A log that a crash left cannot be read on a read-only disk, which lets SQLite make no index for it."""
    with refusals("copy", path):
        copies = Path(stack.enter_context(TemporaryDirectory(prefix="edge-agent-")))
        for name in (path.name, f"{path.name}-wal"):
            if path.with_name(name).exists():
                shutil.copyfile(path.with_name(name), copies / name)
    return copies / path.name


def _connected(stack: ExitStack, path: Path, how: str) -> sqlite3.Connection:
    with refusals("read", path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
        stack.enter_context(closing(db))
        db.execute("BEGIN")  # so that all that is asked sees the file as of one moment
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the file and its log
    return db


def _tail(rows: list[tuple[Block, int]], last: int) -> int:
    """Where the damaged blocks behind the last sound one end, as far as their numbers can be believed."""
    near = [block for block, _ in rows if last < block.first <= last + _MOST and 0 < block.count <= _MOST]
    return max((block.last for block in near), default=0)


def _holes(file: SegmentFile, blocks: tuple[Block, ...], tail: int = 0) -> Iterator[tuple[int, int]]:
    wanted = file.name.first
    for block in blocks:
        if block.first > wanted:
            yield wanted, block.first - 1
        wanted = max(wanted, block.last + 1)
    if tail >= wanted:
        yield wanted, tail


def of_another_version(path: Path, version: int) -> FolderUnusable:
    """Say that a state is of an older or of a newer release, and what to do about that."""
    problem = f"its format is version {version}, this agent reads version {FORMAT.version}"
    if version < FORMAT.version:
        return FolderUnusable("read", str(path), problem, "Stop the agent and run: edge-agent store migrate")
    hint = f"Have the newer agent run: edge-agent store migrate --to {FORMAT.version}"
    return FolderUnusable("read", str(path), problem, hint)
