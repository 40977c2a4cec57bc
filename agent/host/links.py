"""Links that say which environment is used: replaced by rename(2), so that at each moment there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import Rejected
from agent.files import sync_folder

if TYPE_CHECKING:
    from pathlib import Path


def proven(place: Path) -> Path:
    """Give the link to the environment that the helper runs from, for the one that the agent runs from."""
    return place.with_name(f"{place.name}-proven")


def lead(link: Path, folder: Path) -> None:
    """Have a link lead to a folder beside it, durably.

    Raises:
        Rejected: there is no such folder, or the disk refuses.
    """
    if not folder.is_dir():
        raise Rejected("switch to", str(folder), "it is not there")
    new = link.with_name(f".{link.name}.new")
    try:
        new.unlink(missing_ok=True)
        new.symlink_to(folder.name)
        new.rename(link)
        sync_folder(link.parent)
    except OSError as error:
        raise Rejected("switch", str(link), error.strerror or "it cannot be replaced") from error
