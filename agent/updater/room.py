"""Room for bundles: counted before anything is fetched; bundles that nobody needs make room, oldest first."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from agent.errors import BundleRefused, DiskFull
from agent.updater.disk import free_bytes

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MARGIN = 16 << 20
"""Bytes that are left free for the store and the log."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Room:
    """The folders of bundles, and the rules for what may lie in them.

    Args:
        folder: holds ``bundles/<digest>/`` and ``incoming/<digest>/``.
        keep: digests that must stay.
        most: bytes of bundles that need not stay, all together.
    """

    def __init__(self, folder: Path, keep: Collection[str], most: int) -> None:
        self.bundles, self.incoming = folder / "bundles", folder / "incoming"
        self._keep, self._most = set(keep), most

    def hold(self, digest: str) -> None:
        """Keep this one, too."""
        self._keep.add(digest)

    def make(self, subject: str, digest: str, size: int, lacking: int) -> None:
        """See to it that a bundle has room; delete others only where it has none.

        Args:
            subject: what errors call the bundle.
            digest: the bundle's.
            size: its bytes.
            lacking: bytes that must be free for it.

        Raises:
            BundleRefused: it is larger than all bundles together may be.
            DiskFull: there is no room, though all is deleted that may be.
            OSError: the disk refuses.
        """
        counted = 0 if digest in self._keep else size
        if counted > self._most:
            problem = f"requires: it has {size >> 20} MB, and models.max_bytes is {self._most >> 20} MB"
            raise BundleRefused("take model", subject, problem, "Raise models.max_bytes", rule="requires")
        needed = lacking + MARGIN
        spare = self.spare(digest)
        used = sum(map(bytes_in, spare))
        while spare and (used + counted > self._most or free_bytes(self.bundles) < needed):
            used -= bytes_in(spare[0])
            self.delete(spare.pop(0))
        if (free := free_bytes(self.bundles)) < needed:
            problem = f"it needs {needed >> 20} MB with a margin, and {free >> 20} MB are free"
            raise DiskFull("fetch model", subject, problem, "Free some room on the device's disk")

    def delete(self, bundle: Path) -> None:
        """Delete a bundle: first it is no bundle any more, so that a death leaves no half of one."""
        leaving = self.incoming / f".{bundle.name}.old"
        remove(leaving)
        bundle.rename(leaving)
        remove(leaving)

    def clean(self, wanted: Collection[str]) -> None:
        """Delete what was on its way and is not wanted any more."""
        for one in self.incoming.iterdir():
            if one.name not in wanted:
                remove(one)

    def spare(self, digest: str = "") -> list[Path]:
        """Give the bundles that may go, the oldest first."""
        found = [
            path
            for path in self.bundles.iterdir()
            if _DIGEST.fullmatch(path.name) and path.name != digest and path.name not in self._keep
        ]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there.

    Raises:
        OSError: the disk refuses.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def bytes_in(folder: Path) -> int:
    """Give the bytes of all files below a folder.

    Raises:
        OSError: the disk refuses.
    """
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
