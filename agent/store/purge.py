"""Delete all results, media and outgoing files of a data folder; what protects the device stays.

What is deleted is noted as lost first, so that the collector hears of it. The bytes are overwritten before
the names go. Flash keeps copies that no program reaches; an encrypted file system is the answer to that.
"""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.blocks import STREAMS, Loss
from agent.files import sync_folder
from agent.sqlite import refusals
from agent.store.ballast import Ballast
from agent.store.crossing import refuse_unfinished
from agent.store.inspect import count, look, segment_files
from agent.store.media import FOLDER, OURS, listed
from agent.store.repair import QUARANTINE
from agent.store.reports import Cleared
from agent.store.state import EpochRow, State

if TYPE_CHECKING:
    from pathlib import Path

    from agent.blocks import Stream
    from agent.store.inspect import SegmentFile

_CHUNK = 1 << 20
_SEGMENTS = re.compile(
    rf"({'|'.join(STREAMS)})-[0-9a-f]{{16}}-[0-9]{{12,16}}(\.[0-9]+)?\.db(\.new)?(-wal|-shm|-journal)?"
)
"""A segment, with a number in the quarantine; what is to take its place; SQLite's files beside them."""
_OUTGOING = re.compile(r"[a-z0-9-]{8,64}\.(due|sent)\.[a-z0-9._-]+|[0-9a-f]{16}--[a-z0-9._-]+")
"""What waits for the operator beside outcomes (``agent.dispatch.spool``): pictures may be among it."""
_FOLDERS = {"segments": _SEGMENTS, QUARANTINE: _SEGMENTS, FOLDER: OURS, "outgoing": _OUTGOING}


@dataclass(frozen=True, slots=True)
class Purged:
    """What was deleted: records, those of them that the collector did not have, files, and their bytes.

    ``media`` are snapshots and clips; their files and bytes are among those of all.
    """

    records: int
    undelivered: int
    files: int
    size: int
    media: int


def purge(folder: Path) -> Purged:
    """Delete all results. The caller holds the folder (``DataFolder``).

    Raises:
        StoreBusy: the disk refuses for now; run it again.
        FolderUnusable: nothing in the folder is an agent's, it cannot be looked into, or state.db is damaged
            or of another version.
    """
    refuse_unfinished(folder)
    files = segment_files(folder)
    records = sum(count(file)[1] for file in files)
    media = len(listed(folder))
    Ballast(folder, 0).give_up()  # a full disk has no room to note anything
    with closing(State(folder / "state.db")) as state:
        undelivered = _note(state, files)
        state.add("purged", records)
    doomed = [path for path in _files(folder) if path.is_file() and not path.is_symlink()]
    size = 0
    with refusals("delete", folder):
        for path in doomed:
            size += path.stat().st_size
            _overwrite(path)
            path.unlink()
        for name in _FOLDERS:
            if (folder / name).is_dir():
                sync_folder(folder / name)
    return Purged(records, undelivered, len(doomed), size, media)


def _note(state: State, files: list[SegmentFile]) -> int:
    """Note what nobody had as lost: durable before anything is deleted."""
    ends: dict[tuple[Stream, str], int] = {}
    for file in files:
        found = look(file)
        last = found.blocks[-1].last if found and found.blocks else file.name.first - 1
        place = (file.name.stream, file.name.epoch)
        ends[place] = max(last, ends.get(place, 0))
    rows = {(row.stream, row.epoch): row for row in state.epochs()}
    new = [EpochRow(*place) for place in ends if place not in rows]
    state.begin(new)
    rows |= {(row.stream, row.epoch): row for row in new}
    losses = state.losses()
    undelivered = 0
    for place, row in rows.items():
        first = row.acked + 1
        for loss in losses.get(place, []):
            if loss.first > first:
                undelivered += _lose(state, place, first, loss.first - 1)
            first = max(first, loss.last + 1)
        undelivered += _lose(state, place, first, max(row.last or 0, ends.get(place, 0)))
    return undelivered


def _lose(state: State, place: tuple[Stream, str], first: int, last: int) -> int:
    if last < first:
        return 0
    state.lose(*place, [Loss(first, last, "purged")])
    return last - first + 1


def _files(folder: Path) -> list[Path]:
    """Segments, damaged ones in the quarantine, all their logs; snapshots and clips, with their notes.

    Whatever else stands there is not ours.
    """
    return [
        path
        for name, ours in _FOLDERS.items()
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
        if ours.fullmatch(path.name)
    ]


def clear_quarantine(folder: Path, stream: Stream) -> Cleared:
    """Delete the damaged files of a stream that were set aside.

    Raises:
        StoreBusy: the disk refuses.
    """
    cleared = Cleared()
    for path in _files(folder):
        if path.parent.name == QUARANTINE and path.name.startswith(f"{stream}-"):
            with refusals("delete", path):
                cleared += Cleared(files=1, bytes=path.stat().st_size)
                path.unlink()
    return cleared


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        left = os.fstat(descriptor).st_size
        while left > 0:
            left -= os.write(descriptor, bytes(min(left, _CHUNK)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
