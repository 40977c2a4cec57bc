"""The spool: files for the operator, in ``outgoing/`` of the data folder, bounded in bytes and age.

A file is called ``<command>.<due|sent>.<name>`` there: what is due is sent again after a restart; what was
sent stays for an hour, for an operator who missed some of it. Everything else that lies there is litter.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.documents import part
from agent.errors import MessageInvalid, StoreBusy
from agent.events import Event, emit
from agent.files import advice

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "outgoing"
"""The spool, in the data folder."""
MOST_BYTES = 64 << 20
"""Of all files in the spool; the oldest go first, and of these what was sent."""
MOST_FILES = 64
DUE_S, SENT_S = 86400.0, 3600.0
"""How long a file stays that is still to be sent, and one that was sent."""
_OURS = re.compile(r"([a-z0-9][a-z0-9-]{7,63})\.(due|sent)\.([a-z0-9][a-z0-9._-]{0,100})")


@dataclass(slots=True, eq=False)
class Spooled:
    """A file in the spool.

    Attributes:
        since: when it came, or was sent, on the monotonic clock.
        sha256: of its content; "" until it is asked for.
        due: whether it is to be sent, or sent again.
        sent: whether it was sent at least once.
        next: the part that is next.
        again: how often it was asked for once more.
    """

    path: Path
    command: str
    name: str
    size: int
    since: float
    sha256: str = ""
    due: bool = True
    sent: bool = False
    next: int = 0
    again: int = 0

    @property
    def of(self) -> int:
        """In how many parts it leaves."""
        return part.parts_of(self.size)

    def read(self) -> bytes:
        """Give the next part's bytes.

        Raises:
            OSError: the file is gone, or is not what it was.
        """
        self.sha256 = self.sha256 or _digest(self.path)
        with self.path.open("rb") as file:
            file.seek(self.next * part.PART_BYTES)
            body = file.read(part.PART_BYTES)
        if len(body) != min(part.PART_BYTES, self.size - self.next * part.PART_BYTES):
            raise OSError("it has changed")
        return body


class Spool:
    """The folder and what is in it.

    Args:
        folder: the data folder; the spool is made in it when there is something to keep.
        now: the monotonic time.
        wall: the wall clock, seconds since 1970: the age of files that an earlier run has left.

    Attributes:
        files: those that are there, as they came.
    """

    def __init__(self, folder: Path, *, now: float, wall: float) -> None:
        self.folder = folder / FOLDER
        self.files: list[Spooled] = []
        self._begin(now, wall)

    def add(self, command: str, path: Path, now: float) -> Spooled:
        """Take over a file that lies here already, under the name behind its last "--".

        Raises:
            StoreBusy: the disk refuses.
            MessageInvalid: it is too large, or its name is none.
        """
        name = path.name.rpartition("--")[2].lower()
        target = self.folder / f"{command}.due.{name}"
        if not _OURS.fullmatch(target.name):
            raise MessageInvalid("keep file", path.name, "it cannot be called so")
        try:
            if (size := path.stat().st_size) > part.MAX_FILE:
                path.unlink()
                raise MessageInvalid("keep file", name, f"{size} bytes, {part.MAX_FILE} are the most")
            file = Spooled(path.rename(target), command, name, size, now, _digest(target))
        except OSError as error:
            raise StoreBusy("keep file", str(path), str(error), advice(error)) from error
        self.files = [one for one in self.files if one.path != target]
        self.files.append(file)
        return file

    def mark_sent(self, file: Spooled, now: float) -> None:
        """Note that a file was sent.

        Raises:
            OSError: the disk refuses, or it is gone.
        """
        file.due, file.next = False, 0
        if not file.sent:  # it goes an hour after that, however often it is sent again
            file.since = now
            file.path = file.path.rename(self.folder / f"{file.command}.sent.{file.name}")
            file.sent = True

    def surplus(self, now: float) -> list[tuple[Spooled, str]]:
        """Give what is to go, and why: too old, or the first to go where there is too much."""
        old = [file for file in self.files if now - file.since > (DUE_S if file.due else SENT_S)]
        found = [(file, "it is too old") for file in old]
        left = sorted((one for one in self.files if one not in old), key=lambda one: (one.due, one.since))
        while len(left) > MOST_FILES or sum(one.size for one in left) > MOST_BYTES:
            found.append((left.pop(0), "the spool is full"))
        return found

    def sweep(self, wall: float) -> None:
        """Delete what was for people on this machine, or is litter, once it is an hour old."""
        try:
            for path in self.folder.iterdir() if self.folder.is_dir() else ():
                if not _OURS.fullmatch(path.name) and wall - path.lstat().st_mtime > SENT_S:
                    _unlink(path)
        except OSError as error:
            emit(Event.FILE_DROPPED, str(self.folder), count=0, why=error.strerror)

    def remove(self, file: Spooled) -> None:
        """Delete a file."""
        self.files = [one for one in self.files if one is not file]
        _unlink(file.path)

    def _begin(self, now: float, wall: float) -> None:
        try:
            for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
                ours = _OURS.fullmatch(path.name)
                if ours is None or path.is_symlink() or not path.is_file():
                    _unlink(path)
                    continue
                found, sent = path.stat(), ours[2] == "sent"
                since = now - max(0.0, wall - found.st_mtime)
                self.files.append(
                    Spooled(path, ours[1], ours[3], found.st_size, since, due=not sent, sent=sent)
                )
        except OSError as error:
            emit(Event.FILE_DROPPED, str(self.folder), count=0, why=error.strerror)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        emit(Event.FILE_DROPPED, path.name, count=0, why=f"it cannot be deleted: {error.strerror}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
