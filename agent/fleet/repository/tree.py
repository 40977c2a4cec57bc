"""The repository on disk: DIR/tuf/meta/<files> as published, DIR/tuf/blob/<sha256> whole files.

No published file is ever written over but the timestamp: what that leads to is what counts, and it is written
last.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import orjson

from agent.errors import AgentError, ManifestInvalid, StoreBusy
from agent.files import NEW, sync_folder, write_durably
from agent.published import BLOB, META

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.manifest import FileEntry

TUF = "tuf"
_CUTS = "cuts.json"
_WAIT_S = 10.0
_TURN_S = 0.1


class Tree:
    """The files of one repository.

    Args:
        folder: the operator's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / TUF

    def make(self) -> None:
        """Make the folders that are missing.

        Raises:
            OSError: the disk refuses.
        """
        for path in (self.root, self.root / META, self.root / BLOB):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)

    @property
    def there(self) -> bool:
        """Whether a repository was begun here."""
        return self.meta("1.root.json").exists()

    def meta(self, name: str) -> Path:
        """Where a file of metadata lies."""
        return self.root / META / name

    def blob(self, sha256: str) -> Path:
        """Where a whole file lies."""
        return self.root / BLOB / sha256

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other operators out, and take away what a kill has left half written.

        Raises:
            StoreBusy: somebody else is at work here, and does not end.
            OSError: the folder is not there.
        """
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            give_up = time.monotonic() + _WAIT_S
            while not _locked(descriptor):
                if time.monotonic() > give_up:
                    hint = "Wait until it is done"
                    raise StoreBusy("work in", str(self.root), "another edgectl does so already", hint)
                time.sleep(_TURN_S)
            for place in (self.root, self.root / META, self.root / BLOB):
                for left in place.glob(f".*{NEW}"):
                    left.unlink()
            yield
        finally:
            os.close(descriptor)

    def write_meta(self, name: str, content: bytes) -> None:
        """Write a file of metadata, whole and durably.

        Raises:
            OSError: the disk refuses.
        """
        write_durably(self.meta(name), content, 0o644)

    def names(self) -> set[str]:
        """Give the names of all files of metadata."""
        return {one.name for one in (self.root / META).glob("*.json") if not one.name.startswith(".")}

    def versions(self, role: str) -> list[int]:
        """Give the versions of a role that are here, in order."""
        pattern = re.compile(rf"([1-9][0-9]*)\.{role}\.json")
        return sorted(int(found[1]) for name in self.names() if (found := pattern.fullmatch(name)))

    def blobs(self) -> set[str]:
        """Give the hashes of all whole files."""
        return {one.name for one in (self.root / BLOB).iterdir() if re.fullmatch(r"[0-9a-f]{64}", one.name)}

    def put(self, content: bytes) -> str:
        """Keep a small file; give its SHA-256.

        Raises:
            OSError: the disk refuses.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.blob(sha256).exists():
            write_durably(self.blob(sha256), content, 0o644)
        return sha256

    def put_file(self, path: Path, entry: FileEntry) -> None:
        """Keep a file of a bundle, as its manifest describes it.

        Raises:
            ManifestInvalid: it is not there, or not what the manifest says: size, hash, or that of a chunk.
            OSError: the disk refuses.
        """
        goal = self.blob(entry.sha256)
        new = goal.with_name(f".{goal.name}{NEW}")
        new.unlink(missing_ok=True)
        try:
            with new.open("xb") as file:
                for piece in checked(path, entry):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            new.chmod(0o644)
            new.rename(goal)
        finally:
            new.unlink(missing_ok=True)
        sync_folder(goal.parent)

    def cuts(self) -> dict[str, int]:
        """Give the size of the chunks, bytes, in which each file is published or ever was."""
        try:
            found = orjson.loads((self.root / _CUTS).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            problem = "it is damaged"
            raise AgentError("read", str(self.root / _CUTS), problem, "Copy it from a backup") from error
        return {str(sha256): int(size) for sha256, size in found.items()}

    def write_cuts(self, cuts: dict[str, int]) -> None:
        """Note the sizes of the chunks.

        Raises:
            OSError: the disk refuses.
        """
        write_durably(self.root / _CUTS, orjson.dumps(cuts, option=orjson.OPT_SORT_KEYS), 0o644)


def checked(path: Path, entry: FileEntry) -> Iterator[bytes]:
    """Give a bundle's file in chunks, each of which is what the manifest says.

    Raises:
        ManifestInvalid: it is not there, or not what the manifest says.
    """
    whole, size = hashlib.sha256(), 0
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for its writer
            raise _mismatch(path, "it is no regular file")
        with path.open("rb") as file:
            for number, expected in enumerate(entry.hashes):
                piece = file.read(entry.chunk_size)
                if hashlib.sha256(piece).hexdigest() != expected:
                    raise _mismatch(path, f"chunk {number} is not what the manifest says")
                whole.update(piece)
                size += len(piece)
                yield piece
            if size != entry.size or file.read(1):
                raise _mismatch(path, f"the manifest says that it has {entry.size} bytes")
    except OSError as error:
        raise _mismatch(path, error.strerror or str(error)) from error
    if whole.hexdigest() != entry.sha256:
        raise _mismatch(path, "its sha256 is not what the manifest says")


def _mismatch(path: Path, problem: str) -> ManifestInvalid:
    return ManifestInvalid("publish", str(path), problem, "Pack the bundle again")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
