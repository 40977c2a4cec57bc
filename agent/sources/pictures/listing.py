"""Which files an ``images`` source reads, and in what order."""

from __future__ import annotations

import re
from glob import has_magic, iglob
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import InputRejected
from agent.sources._files import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".npy"))
"""What a folder or a pattern gives, in any case; a file that is named itself may end in anything."""

_NUMBER = re.compile(r"([0-9]+)")


def list_files(paths: Sequence[str]) -> list[str]:
    """Expand folders and patterns, each in natural order; files that are named stay even when missing.

    A folder gives its own files, not those of its subfolders; a pattern with ``**`` does.

    Raises:
        InputRejected: a path may not be looked at, or no file is there at all.
    """
    subject = ", ".join(paths)[:200]
    try:
        files = [file for path in paths for file in _expand(path)]
        if any(Path(file).exists() for file in files):
            return files
    except OSError as error:
        raise unreadable("list images", subject, error) from error
    kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
    raise InputRejected("list images", subject, "no file is there", f"Name files or folders of {kinds}")


def _expand(path: str) -> list[str]:
    if Path(path).is_dir():
        return _pictures(str(one) for one in Path(path).iterdir())
    if has_magic(path) and not Path(path).exists():
        return _pictures(iglob(path, recursive=True))  # noqa: PTH207 - pathlib has no absolute patterns
    return [path]


def list_folders(paths: Sequence[str]) -> list[str]:
    """Give what must be readable so that these paths can be: folders of patterns, and what is named."""
    return [_root(path) if has_magic(path) and not Path(path).exists() else path for path in paths]


def _root(pattern: str) -> str:
    """Give the folder above the first part of a pattern that is one."""
    plain = takewhile(lambda part: not has_magic(part), Path(pattern).parts)
    return str(Path(*plain))


def natural_key(path: str) -> tuple[list[str | int], str]:
    """Sort by the numbers in a name, so that frame2 comes before frame10."""
    parts: list[str | int] = list(_NUMBER.split(path.casefold()))
    for at in range(1, len(parts), 2):
        parts[at] = int(parts[at])
    return parts, path


def _pictures(paths: Iterable[str]) -> list[str]:
    found = (path for path in paths if Path(path).suffix.lower() in SUFFIXES and Path(path).is_file())
    return sorted(found, key=natural_key)
