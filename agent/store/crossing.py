"""A data folder on its way from one version to another: what says so, and what is set aside meanwhile.

The mark is written before a migration changes anything and goes when all is done: where one was cut off,
files of two versions may stand side by side, and only a release that knows both may go on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.errors import FolderUnusable
from agent.files import sync_folder, write_durably
from agent.sqlite import refusals
from agent.store.forms import VERSION

if TYPE_CHECKING:
    from pathlib import Path

MARK = "migrating"
"""The file that is there while a migration is on its way: the newest version that it touches."""
_MOST = 64


def aside(folder: Path, version: int) -> Path:
    """The folder that keeps, for the way back, what ``version`` brought and earlier releases do not know."""
    return folder / f"release-{version}"


def version_of(path: Path) -> int:
    """Give the version that such a folder is named for."""
    return int(path.name.removeprefix("release-"))


def asides(folder: Path) -> list[Path]:
    """Those that are there, the oldest version's first."""
    return [path for version in range(2, VERSION + 1) if (path := aside(folder, version)).is_dir()]


def cut_off(folder: Path) -> bool:
    """Whether a migration has to be finished before the folder is this release's.

    Raises:
        FolderUnusable: a newer release's was cut off.
    """
    check(folder)
    return (folder / MARK).exists() or bool(asides(folder))


def check(folder: Path) -> None:
    """Refuse a folder in which the migration of a newer release was cut off.

    Raises:
        StoreBusy: it cannot be read for now.
        FolderUnusable: it was.
    """
    with refusals("read", folder / MARK):
        try:
            with (folder / MARK).open(encoding="ascii", errors="replace") as file:
                found = re.fullmatch(r"(\d{1,9})\n", file.read(_MOST))
        except (FileNotFoundError, NotADirectoryError):
            return
    newest = int(found[1]) if found else 0
    if newest > VERSION:
        problem = (
            f"its migration from or to version {newest} was cut off; this release reads version {VERSION}"
        )
        hint = f"Have the newer agent finish it: edge-agent store migrate --to {VERSION}"
        raise FolderUnusable("open", str(folder), problem, hint)


def refuse_unfinished(folder: Path) -> None:
    """Refuse a folder that a migration was cut off in: what is set aside looks as if it were lost.

    Raises:
        FolderUnusable: one was.
    """
    if cut_off(folder):
        hint = "Start the agent, or run: edge-agent store migrate"
        raise FolderUnusable("use data folder", str(folder), "a migration of it was cut off", hint)


def begin(folder: Path) -> None:
    """Say, durably, that a migration begins."""
    with refusals("mark", folder):
        write_durably(folder / MARK, f"{VERSION}\n".encode())


def end(folder: Path) -> None:
    """Say, durably, that it is done. Idempotent."""
    with refusals("unmark", folder):
        if (folder / MARK).exists():
            (folder / MARK).unlink()
            sync_folder(folder)
