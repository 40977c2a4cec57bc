"""The data folder: made, locked against a second agent, and tried.

A disk that is full or read-only for now is no reason not to start: the store works in memory until it is
back, and touches nothing before the lock is held. A folder that could never be used is refused.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Self

from agent.errors import AgentError, DiskFull, FolderHeld, FolderUnusable, StoreBusy
from agent.store.owner import claim

if TYPE_CHECKING:
    from pathlib import Path

_OP = "use data folder"
_PROBE_BYTES = 64 << 10
"""What a first segment and the state need at the least."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_PASSING = {errno.EROFS, *_FULL}
"""What may be over in a while."""

_REASONS = {
    errno.EROFS: ("the file system is read-only", "Mount it read-write, or set store.path to another folder"),
    errno.ENOSPC: ("the disk is full", "Free some space on it, or set store.path to another folder"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space, or set store.path to another folder"),
    errno.EFBIG: ("this process may not write files of 64 KiB", "Raise its file size limit (ulimit -f)"),
    errno.EACCES: ("permission denied", "Give the agent's user write access, or set store.path elsewhere"),
    errno.EPERM: ("permission denied", "Give the agent's user write access, or set store.path elsewhere"),
    errno.ENOTDIR: ("it is not a folder", "Remove that file, or set store.path to a folder"),
    errno.EEXIST: ("it is not a folder", "Remove that file, or set store.path to a folder"),
    errno.ELOOP: ("its lock is a symbolic link", "Remove the file 'lock' in it"),
}


class DataFolder:
    """The agent's folder, held for as long as the object is open.

    Use it as a context manager. The lock is the kernel's: it goes with the process, however that ends.

    Args:
        path: the folder; made with mode 0700 when it is not there.
        device: whose records it is to hold; "" does not ask.

    Attributes:
        problem: why it could not be written at the start; None when it could.

    Raises:
        FolderUnusable: another agent holds it, or it cannot be made or written.
        ConfigInvalid: another device's records wait in it.
    """

    def __init__(self, path: Path, device: str = "") -> None:
        self.path = path
        self._device = device
        self.problem: StoreBusy | None = None
        self._lock: int | None = None
        try:
            self.take()
            _prove_writable(path)
        except StoreBusy as busy:
            self.problem = busy
        except OSError as error:
            refused = _refusal(path, error)
            if not isinstance(refused, StoreBusy):
                self.close()
                raise refused from error
            self.problem = refused

    def take(self) -> None:
        """Make the folder and lock it, unless that is done: at the start the disk may not have let us.

        Raises:
            StoreBusy: the disk is full or read-only for now.
            FolderUnusable: another agent holds it (FolderHeld), or it cannot be made.
            ConfigInvalid: another device's records wait in it.
        """
        if self._lock is not None:
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _open_lock(self.path)
        except OSError as error:
            raise _refusal(self.path, error) from error
        try:
            _hold(self.path, lock)
            if self._device:
                claim(self.path, self._device)
        except AgentError:
            os.close(lock)
            raise
        self._lock = lock

    @property
    def intact(self) -> bool:
        """Whether the folder is still there, with the lock that is held; true before there is a lock."""
        if self._lock is None:
            return True
        try:
            found = (self.path / "lock").stat()
        except OSError:
            return False
        held = os.fstat(self._lock)
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def close(self) -> None:
        """Let another agent have the folder. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_lock(path: Path) -> int:
    lock = path / "lock"
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        try:
            return os.open(lock, os.O_RDONLY | flags)  # locks as well
        except FileNotFoundError:
            raise error from None  # there is none yet, since the disk is read-only


def _hold(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        raise FolderHeld(
            _OP,
            str(path),
            f"another agent holds it (pid {holder or 'unknown'})",
            "Stop that agent, or set store.path to another folder",
        ) from error
    if fcntl.fcntl(lock, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        _sign(lock)


def _sign(lock: int) -> None:
    """Leave our pid, for people."""
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        return  # on a full disk the lock does without


def _prove_writable(path: Path) -> None:
    probe = path / ".probe"
    try:
        descriptor = os.open(
            probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            left = _PROBE_BYTES
            while left:  # a nearly full disk takes a part, then refuses the rest
                left -= os.write(descriptor, bytes(left))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        probe.unlink(missing_ok=True)


def _refusal(path: Path, error: OSError) -> AgentError:
    problem, hint = _REASONS.get(
        error.errno or 0, (error.strerror or str(error), "Set store.path to another folder")
    )
    passing = DiskFull if error.errno in _FULL else StoreBusy
    return (passing if error.errno in _PASSING else FolderUnusable)(_OP, str(path), problem, hint)
