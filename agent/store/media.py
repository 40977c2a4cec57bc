"""Snapshots and clips of events: files called by the SHA-256 of their content, each with a note beside it.

A note is JSON, ``<sha256>.json``: when, which pipeline, which events. It is written after its file, and both
durably: a file without a note, or half of one, is swept away by the next start. The bytes come from a worker:
only their frame is checked here (``agent.media.flaw``), nothing decodes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from agent.config.base import Name  # noqa: TC001 - pydantic reads it
from agent.errors import DiskFull, MessageInvalid, StoreBusy
from agent.events import Event, emit
from agent.files import NEW, sync_folder, write_durably
from agent.media import ENDINGS, Kind, flaw
from agent.sqlite import refusals
from agent.store.reports import Cleared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from agent.media import Medium

FOLDER = "media"
MOST_FILES = 5_000
"""Media that are kept; a note costs the disk a block, however small the picture is."""
MARGIN = 16 << 20
"""Room on the disk that is left for results; an eighth of it where that is less."""
WAY = 4 << 20
"""Bytes of media that go at once when the disk is full."""
_MOST_NOTE = 8 << 10
_NAME = re.compile(r"([0-9a-f]{64})\.(jpg|avi|json)")
OURS = re.compile(rf"\.?[0-9a-f]{{64}}\.(jpg|avi|json)({re.escape(NEW)})?")
"""All that the store ever leaves in the folder."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A medium on disk, as its note has it.

    Attributes:
        n: its place among all: a later one has a higher number, whatever the wall clock says.
        clip: what the events in the records call a clip; "" for a snapshot.
        wall_ns: when its frame was captured, ns since 1970.
    """

    n: int
    sha256: str
    kind: Kind
    bytes: int
    wall_ns: int
    pipeline: Name
    events: tuple[str, ...]
    frame: int
    clip: str = ""

    @property
    def name(self) -> str:
        """Its file's."""
        return f"{self.sha256}{ENDINGS[self.kind]}"


_kept: TypeAdapter[Kept] = TypeAdapter(Kept)


class MediaShelf:
    """The folder ``media`` of a data folder. For the store's thread.

    Args:
        folder: the data folder.
        max_bytes: of all files together; the oldest go first. 0 keeps none.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder / FOLDER
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._begun = False
        self._next = 1
        self.size = 0
        """Bytes of all files that are kept."""

    def begin(self) -> None:
        """See what is there, and sweep up what a crash has left; where the disk refuses, some other time."""
        try:
            self._begin()
        except StoreBusy as error:
            emit(Event.MEDIA_FAILED, "sweep", problem=error)

    def _begin(self) -> None:
        if self._begun:
            return
        found = listed(self._folder.parent)
        with refusals("sweep", self._folder):
            for path in _litter(self._folder, found):
                path.unlink(missing_ok=True)
        self._kept = OrderedDict((one.sha256, one) for one in found)
        self.size = sum(one.bytes for one in self._kept.values())
        self._next = max((one.n for one in self._kept.values()), default=0) + 1
        self._begun = True
        self._make_room(0)

    def keep(self, medium: Medium) -> None:
        """Write one, or say why not: a picture more or less is no reason to stop. Its memory is closed."""
        try:
            content = os.pread(medium.fd, medium.size, 0)
        finally:
            os.close(medium.fd)
        try:
            self._keep(medium, content)
        except MessageInvalid as error:
            emit(Event.MEDIA_REFUSED, medium.pipeline, kind=medium.kind, bytes=medium.size, why=error.problem)
        except StoreBusy as error:
            emit(Event.MEDIA_FAILED, medium.pipeline, kind=medium.kind, bytes=medium.size, problem=error)

    def give_way(self) -> bool:
        """Let the oldest go, since the disk is full; say whether that freed anything."""
        freed = 0
        while self._kept and freed < WAY:
            one = self._oldest()
            if not self._evict(one, "the disk is full"):
                break
            freed += one.bytes
        return freed > 0

    def clear(self) -> Cleared:
        """Let all go, since somebody wants them gone.

        Raises:
            StoreBusy: the folder cannot be read.
        """
        self._begin()
        files, size = len(self._kept), self.size
        while self._kept and self._evict(self._oldest(), "they were purged"):
            pass
        return Cleared(files=files - len(self._kept), bytes=size - self.size)

    def _keep(self, medium: Medium, content: bytes) -> None:
        if why := flaw(medium.kind, content) if len(content) == medium.size else "it is cut off":
            raise MessageInvalid("keep medium", medium.pipeline, why)
        self._begin()
        if medium.size > self._max_bytes:
            raise StoreBusy("keep medium", str(self._folder), "it is larger than all media may be", _HINT)
        sha256 = hashlib.sha256(content).hexdigest()
        one = Kept(
            self._next, sha256, medium.kind, medium.size, medium.wall_ns,
            medium.pipeline, medium.events, medium.frame, medium.clip,
        )  # fmt: skip
        self._next += 1
        with refusals("keep medium", self._folder):
            self._write(one, content)

    def _write(self, one: Kept, content: bytes) -> None:
        """Write file and note; the same content again is written once, and is as new as its last event."""
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700)
            sync_folder(self._folder.parent)
        there = self._kept.get(one.sha256)
        if there is None:
            self._make_room(one.bytes)
            self._check_margin(one.bytes)
        note = json.dumps(asdict(one)).encode()
        try:
            if there is None:
                write_durably(self._folder / one.name, content)
            write_durably(_note(self._folder, one.sha256), note)
        except OSError:
            self._undo(one, there)
            raise
        self._kept.pop(one.sha256, None)
        self._kept[one.sha256] = one
        self.size += one.bytes if there is None else 0

    def _undo(self, one: Kept, there: Kept | None) -> None:
        """Leave nothing half written: on a full disk it would stay until the next start."""
        paths = [_note(self._folder, one.sha256)] if there is not None else []
        if there is None:
            paths = [_note(self._folder, one.sha256), self._folder / one.name]
            for path in paths:
                path.unlink(missing_ok=True)
        for path in paths:
            path.with_name(f".{path.name}{NEW}").unlink(missing_ok=True)

    def _check_margin(self, size: int) -> None:
        disk = os.statvfs(self._folder)
        margin = min(MARGIN, disk.f_blocks * disk.f_frsize // 8)
        if disk.f_bavail * disk.f_frsize < size + margin:
            raise DiskFull("keep medium", str(self._folder), "what is free is left for results", _HINT)

    def _make_room(self, size: int) -> None:
        while self._kept and (self.size + size > self._max_bytes or len(self._kept) >= MOST_FILES):
            if not self._evict(self._oldest(), "media are at their cap"):
                break

    def _oldest(self) -> Kept:
        return next(iter(self._kept.values()))

    def _evict(self, one: Kept, why: str) -> bool:
        try:
            _note(self._folder, one.sha256).unlink(missing_ok=True)
            (self._folder / one.name).unlink(missing_ok=True)
        except OSError as error:
            emit(Event.MEDIA_FAILED, "evict", problem=error.strerror)
            return False
        del self._kept[one.sha256]
        self.size -= one.bytes
        emit(Event.MEDIA_EVICTED, one.pipeline, kind=one.kind, bytes=one.bytes, why=why)
        return True


_HINT = "Raise store.media_max_bytes, or free some space"


def listed(folder: Path) -> list[Kept]:
    """Give the media of a data folder, the oldest first; those that are going just now are left out.

    Raises:
        StoreBusy: the folder cannot be read.
    """
    with refusals("list", folder / FOLDER):
        found = [_read(path) for path in _paths(folder / FOLDER) if path.suffix == ".json"]
    return sorted((one for one in found if one is not None), key=lambda one: one.n)


def _read(path: Path) -> Kept | None:
    try:
        if _size(path) < 0:  # opening a FIFO would wait for its writer
            return None
        with path.open("rb") as file:
            one = _kept.validate_json(file.read(_MOST_NOTE))
        there = one.sha256 == path.stem and _size(path.with_name(one.name)) == one.bytes
    except (FileNotFoundError, ValueError):
        return None
    return one if there else None


def _size(path: Path) -> int:
    """Give a file's size; -1 of what is none: a link may lead to what root alone can read."""
    found = path.lstat()
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def _note(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}.json"


def _paths(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _litter(folder: Path, found: Iterable[Kept]) -> list[Path]:
    """Give what a crash has left: half-written files, files without a note, notes without a file."""
    if not folder.is_dir():
        return []
    wanted = {name for one in found for name in (one.name, f"{one.sha256}.json")}
    return [path for path in folder.iterdir() if OURS.fullmatch(path.name) and path.name not in wanted]
