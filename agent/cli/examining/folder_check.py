"""What run would do with its data folder; nothing in it is changed, and a running agent may have it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from agent.errors import FileDamaged, FolderUnusable
from agent.store.crossing import cut_off
from agent.store.folder import PROBE_BYTES, refusal
from agent.store.inspect import look_at_state, read_only
from agent.store.owner import owner_of
from agent.store.state import FORMAT

if TYPE_CHECKING:
    from pathlib import Path

_OP = "use data folder"


def examine(folder: Path, device: str) -> str:
    """Say what run would do with a folder that it can use.

    Raises:
        StoreBusy: the disk is full or read-only: run would work in memory.
        FolderUnusable: it cannot be used at all.
        ConfigInvalid: another device's records wait in it.
    """
    _try(folder)
    if not folder.exists():
        return f"{folder}, which run makes"
    owner_of(folder, device)
    will = _state(folder / "state.db")
    return f"{folder}: {will}" if will else str(folder)


def _try(folder: Path) -> None:
    """Refuse it as run would, as far as that can be told without writing."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    try:
        code = _obstacle(there)
    except OSError as error:
        code = error.errno or errno.EIO
    if code == errno.EACCES:
        hint = "Run this as root or as the agent's user, or give that user write access"
        raise FolderUnusable(_OP, str(folder), "permission denied", hint)
    if code:
        raise refusal(folder, OSError(code, os.strerror(code)))


def _obstacle(folder: Path) -> int:
    disk = os.statvfs(folder)
    if not folder.is_dir():
        return errno.ENOTDIR
    if disk.f_flag & os.ST_RDONLY:
        return errno.EROFS
    if disk.f_bavail * disk.f_frsize < PROBE_BYTES:
        return errno.ENOSPC
    return 0 if os.access(folder, os.W_OK | os.X_OK, effective_ids=True) else errno.EACCES


def _state(path: Path) -> str:
    """Say what run would mend in state.db, which tells how far everything is; "" for nothing."""
    unfinished = cut_off(path.parent)
    try:
        with read_only(path) as db:
            kind = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
    except FileNotFoundError:
        return ""
    except FileDamaged:
        return "state.db is damaged, and run will make it anew"
    if version and kind != FORMAT.kind:
        problem = "this file is not the agent's"
        raise FolderUnusable(_OP, str(path), problem, "Move it away, or set store.path to another folder")
    if 0 < version < FORMAT.version:
        return f"its files are of version {version}, and run will bring them to version {FORMAT.version}"
    if unfinished:
        return "a migration of it was cut off, and run will finish it"
    if look_at_state(path.parent).problem:
        return "state.db is damaged, and run will make it anew"
    return ""
