"""A damaged file is set aside whole, and what is sound in it goes on in a new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Literal

from agent.errors import AgentError
from agent.events import Event, emit
from agent.files import sync_folder
from agent.sqlite import remove_database
from agent.store import salvage
from agent.store.segment import Segment, checksum, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.blocks import Block

QUARANTINE = "quarantine"
"""The folder beside ``segments`` that damaged files go to."""
KEPT = 4
"""So many damaged files are kept, for whoever wants to know what happened; the oldest goes first."""
_NEW = ".new"
_SIDES: tuple[Literal["-wal", "-shm"], ...] = ("-wal", "-shm")


def sound_blocks(path: Path) -> tuple[Block, ...]:
    """Give every block of a segment that can still be reached, in order, whatever is wrong with the file."""
    try:
        found = salvage.blocks_in(path.read_bytes(), checksum)
    except OSError as error:
        emit(Event.STORE_FAILED, f"read {path}", problem=error.strerror)
        found = {}
    found.update(_in_the_log(path))
    return tuple(found[first] for first in sorted(found))


def _in_the_log(path: Path) -> dict[int, Block]:
    """What SQLite itself still gives; it alone reads the log that a crash left beside the file."""
    found: dict[int, Block] = {}
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as db:
            for block, crc in rows_of(db):
                if checksum(block) == crc:
                    found[block.first] = block
    except (sqlite3.Error, UnicodeDecodeError) as error:
        emit(Event.SEGMENT_QUARANTINED, path.name, count=0, problem=error)
    return found


def replace(path: Path, blocks: Sequence[Block]) -> bool:
    """Move a damaged segment to the quarantine, and write its sound blocks to a new file of its name.

    Returns:
        Whether that was done; a disk that is full or read-only leaves everything as it is.
    """
    new = path.with_name(path.name + _NEW)
    try:
        remove_database(new)
        with closing(Segment.create(new)) as segment:
            if blocks:
                segment.append(blocks)
        _set_aside(path)
        new.rename(path)
        sync_folder(path.parent)
    except (AgentError, OSError) as error:
        emit(Event.STORE_FAILED, f"replace {path}", problem=error)
        return False
    return True


def finish(segments: Path) -> None:
    """Finish or undo what a crash interrupted: a new file takes the place of one that was set aside.

    Raises:
        OSError: the disk refuses.
    """
    for new in segments.glob(f"*{_NEW}"):
        path = new.with_name(new.name.removesuffix(_NEW))
        if path.exists():
            remove_database(new)
        else:
            new.rename(path)
            sync_folder(segments)


def set_aside(path: Path) -> None:
    """Move a damaged state.db, and what stands beside it, to the quarantine.

    The file goes first, durably: without its log it would look sound, and older than it is.

    Raises:
        OSError: the disk refuses.
    """
    target = _place(path, path.parent / QUARANTINE)
    path.rename(target)
    sync_folder(path.parent)
    _move_sides(path, target)
    sync_folder(path.parent)
    sync_folder(target.parent)


def adjacent(blocks: Sequence[Block], seq: int, max_bytes: int) -> tuple[Block, ...]:
    """Of blocks in memory give those that ``Segment.read`` would give."""
    found: list[Block] = []
    room = max_bytes
    for block in blocks:
        if block.last < seq:
            continue
        room -= len(block.data)
        if found and (room < 0 or block.first != found[-1].last + 1):
            break
        found.append(block)
    return tuple(found)


def _set_aside(path: Path) -> None:
    target = _place(path, path.parent.parent / QUARANTINE)
    _move_sides(path, target)
    path.rename(target)
    sync_folder(target.parent)


def _place(path: Path, folder: Path) -> Path:
    """Make room in the quarantine; give the name that the file gets there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = sorted(folder.glob("*.db"), key=_number)
    for old in kept[: max(0, len(kept) + 1 - KEPT)]:
        remove_database(old)
        emit(Event.QUARANTINE_DROPPED, old.name)
    return folder / f"{path.stem}.{_number(kept[-1]) + 1 if kept else 0}.db"


def _move_sides(path: Path, target: Path) -> None:
    for side in _SIDES:
        beside = path.with_name(path.name + side)
        if beside.exists():
            beside.rename(target.with_name(target.name + side))


def _number(kept: Path) -> int:
    """The number in a quarantined file's name: they are counted, since a clock may step."""
    number = kept.stem.rpartition(".")[2]
    return int(number) if number.isdecimal() else -1
