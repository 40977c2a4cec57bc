"""Brings one bundle onto the disk: whole and proved at ``bundles/<digest>``, or not there at all."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from agent import manifest as manifests
from agent.errors import BundleRefused, ManifestInvalid
from agent.files import sync_folder, write_durably
from agent.manifest import MANIFEST, Manifest
from agent.updater import disk, targets
from agent.updater.parts import Part, fill
from agent.updater.room import remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.updater.metadata import Target
    from agent.updater.room import Room
    from agent.updater.seams import Shelf

_BLOCK = 1 << 20


def read_manifest(shelf: Shelf, target: Target, name: str, version: str) -> tuple[bytes, Manifest]:
    """Fetch a bundle's manifest; its bytes are proved before they are parsed.

    Raises:
        BundleRefused: it is no manifest, or that of another bundle: rule "manifest".
        FetchFailed: it does not come; and what ``targets.read`` raises besides.
    """
    subject = f"{name}@{version}"
    data = targets.read(shelf, target, manifests.MAX_BYTES)
    try:
        found = manifests.parse(data, subject)
    except ManifestInvalid as error:
        raise _refused(subject, error.problem) from error
    if (found.name, found.version) != (name, version):
        raise _refused(subject, f"it is of {found.name}@{found.version}")
    paths = {one.path for one in found.files}
    if any(str(folder) in paths for path in paths for folder in PurePosixPath(path).parents):
        raise _refused(subject, "files: one lies in another")
    return data, found


def is_whole(folder: Path, data: bytes, manifest: Manifest) -> bool:
    """Whether a bundle's folder holds its manifest and all that it names, bit by bit.

    Raises:
        OSError: the disk refuses.
    """
    whole = _holds(folder / MANIFEST, len(data), manifests.digest(data))
    return whole and all(_holds(folder / one.path, one.size, one.sha256) for one in manifest.files)


def install(
    shelf: Shelf, room: Room, data: bytes, manifest: Manifest, progress: Callable[[int], None]
) -> int:
    """Fetch a bundle's files and put it in its place; give the bytes that came.

    Args:
        shelf: who holds the files.
        room: the folders.
        data: the manifest's bytes, proved.
        manifest: the same, read.
        progress: told how many bytes are there and proved, of ``manifest.size``.

    Raises:
        DiskFull: the disk has no room; StoreBusy: it refuses. What has come is kept.
        FetchFailed: chunks come damaged; and what ``parts.fill`` raises besides.
        BundleRefused: it is larger than bundles may be, or contradicts itself.
    """
    digest, subject = manifests.digest(data), f"{manifest.name}@{manifest.version}"
    staging = room.incoming / digest
    with disk.refusing("fetch model", staging):
        disk.make_folder(staging)
        there = sum(min(_stored(staging / one.path), one.size) for one in manifest.files)
        lacking = max(manifest.size, manifest.requires.disk_mb << 20) - there
        room.make(subject, digest, manifest.size, lacking)
        fetched = _fetch(shelf, staging, manifest, progress)
        _settle(room, staging, data, manifest)
    return fetched


def _fetch(shelf: Shelf, staging: Path, manifest: Manifest, progress: Callable[[int], None]) -> int:
    with ExitStack() as opened:
        done = fetched = 0
        parts = []
        for one in manifest.files:
            disk.make_folder((staging / one.path).parent)
            parts.append(opened.enter_context(Part(staging / one.path, one)))
            done += parts[-1].done
        progress(done)

        def came(count: int) -> None:
            nonlocal fetched
            fetched += count
            progress(done + fetched)

        for part, one in zip(parts, manifest.files, strict=True):
            fill(part, one, shelf, came)
        return fetched


def _settle(room: Room, staging: Path, data: bytes, manifest: Manifest) -> None:
    """Make a complete bundle durable, the manifest last, and give it its name."""
    below = {folder for one in manifest.files for folder in PurePosixPath(one.path).parents}
    for folder in below - {PurePosixPath()}:
        sync_folder(staging / folder)
    write_durably(staging / MANIFEST, data)
    place, old = room.bundles / staging.name, room.incoming / f".{staging.name}.old"
    if place.exists():  # damaged, or it would not be fetched again
        remove(old)
        place.rename(old)
    staging.rename(place)
    sync_folder(room.bundles)
    sync_folder(room.incoming)
    remove(old)


def _holds(path: Path, size: int, sha256: str) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest() == sha256


def _stored(path: Path) -> int:
    """Give the bytes that a file takes on the disk, which holes do not; 0 where there is none."""
    return path.stat().st_blocks * 512 if path.is_file() else 0


def _refused(subject: str, problem: str) -> BundleRefused:
    return BundleRefused("take model", subject, f"manifest: {problem}", "Pack it again", rule="manifest")
