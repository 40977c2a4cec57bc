"""Many small files at once: one wait for the disk instead of two for each file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.files import NEW, sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

File = tuple[bytes, int]
"""Content and mode."""


def write_together(files: Mapping[Path, File]) -> None:
    """Write files, each whole or not at all; contents and names are durable when this returns.

    They get their names in the order in which they are given. Folders that are missing are made, for their
    owner alone.

    Raises:
        OSError: the disk refuses; some files may be new by then, and each of them is whole.
    """
    aside: dict[Path, Path] = {}
    folders = {path.parent for path in files}
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for path, (content, mode) in files.items():
            new = path.with_name(f".{path.name}{NEW}")
            new.unlink(missing_ok=True)
            aside[new] = path
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(new, flags, mode), "wb") as file:
                file.write(content)
        os.sync()
        for new, path in aside.items():
            new.rename(path)
    except OSError:
        for new in aside:
            new.unlink(missing_ok=True)
        raise
    for folder in folders if len(folders) <= 8 else ():
        sync_folder(folder)
    if len(folders) > 8:
        os.sync()
