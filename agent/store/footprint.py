"""What the store takes of the disk beside its segments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.store.repair import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def beside(folder: Path) -> int:
    """Give the bytes of what is ours in a data folder, but for segments and ballast.

    That is state.db, the logs that SQLite keeps beside open files, and damaged files that were set aside.
    """
    return (
        _bytes(folder, lambda name: name.startswith("state.db"))
        + _bytes(folder / "segments", lambda name: not name.endswith(".db"))
        + _bytes(folder / QUARANTINE, lambda _: True)
    )


def _bytes(folder: Path, wanted: Callable[[str], bool]) -> int:
    """Sum up the files that are there; a folder that is away or cannot be read holds nothing for us."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if wanted(entry.name):
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return total
    return total
