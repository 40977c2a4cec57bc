"""Root works in a data folder as its owner: what it makes is the agent's, and no link leads it elsewhere."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.confinement import capabilities
from agent.errors import FolderUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """Be the folder's owner inside, where root asks; anybody else stays who they are.

    systemd's dynamic users are gone when their service has stopped, and their folders are below one that only
    root may enter: root stays able to read everything, and can write only what the owner can.

    Raises:
        FolderUnusable: root may not be somebody else here, as in some containers.
    """
    owner, group = folder.stat(), os.getegid()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    try:
        _become(folder, owner)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def _become(folder: Path, owner: os.stat_result) -> None:
    try:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        _, permitted = capabilities.held()
        capabilities.hold(permitted & capabilities.READ_ALL, permitted)
    except OSError as error:
        problem = f"root may not act as its owner, user {owner.st_uid}: {error.strerror}"
        hint = "Run it as that user, or where root may"
        raise FolderUnusable("use data folder", str(folder), problem, hint) from error
