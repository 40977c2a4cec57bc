"""Looks at a repository as a device does that knows only the first root: with its own code, file by file."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api.metadata import Metadata, TargetFile, Targets
from tuf.ngclient import Updater

from agent.errors import BundleRefused, FetchFailed, MetadataRefused
from agent.fleet.repository.roles import KEYS, SIGNED_TARGETS
from agent.manifest import MANIFEST
from agent.published import META, MOST_CHUNK, target_path
from agent.updater import targets
from agent.updater.bundle import read_manifest
from agent.updater.fetcher import ShelfFetcher
from agent.updater.metadata import CONFIG, as_target
from agent.updater.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.manifest import FileEntry, Manifest
    from agent.updater.seams import Shelf

_AT_ONCE = 16
"""Chunks that are asked for at a time."""


@dataclass(slots=True)
class Seen:
    """What a stranger finds.

    Attributes:
        versions: of the metadata, by role.
        expires: when each role's counts no longer, ISO 8601.
        bundles: ``name@version`` and the bundle's digest.
        cuts: the size of the chunks of each file, bytes, by its SHA-256.
        bytes: how many were looked at.
        problems: what a device would trip over, a line each.
    """

    versions: dict[str, int] = field(default_factory=dict)
    expires: dict[str, str] = field(default_factory=dict)
    bundles: dict[str, str] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def look(
    shelf: Shelf,
    root: bytes,
    step: Callable[[int], object] = int,
    known: Callable[[Seen], object] = id,
) -> Seen:
    """Prove all metadata from the first root on, and each file that it vouches for.

    Args:
        shelf: where the files are.
        root: ``1.root.json``.
        step: told of each piece's bytes.
        known: told of the proved metadata, before any file is asked for; it may refuse.

    Raises:
        MetadataRefused: the metadata does not hold together, or has expired.
        FetchFailed: some of it is not there, or is larger than what is signed.
        LinkLost: the other side is away.
    """
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="edgectl-verify-") as folder:
        updater, found = _metadata(shelf, root, Path(folder), seen)
        known(seen)
        for target in found:
            try:
                _target(shelf, updater, target, seen, step)
            except (FetchFailed, BundleRefused, MetadataRefused) as error:
                seen.problems.append(str(error))
    return seen


def _metadata(shelf: Shelf, root: bytes, folder: Path, seen: Seen) -> tuple[Updater, list[TargetFile]]:
    """Have python-tuf prove everything; give all that it vouches for."""
    fetcher = ShelfFetcher(lambda name, most: shelf.get(f"{META}/{name}", most))
    with explained(fetcher):
        updater = Updater(str(folder), "", fetcher=fetcher, config=CONFIG, bootstrap=root)
        updater.refresh()
        for path in (KEYS, target_path("-", "-")):  # of each delegated role
            updater.get_targetinfo(path)
    found: list[TargetFile] = []
    for role in ("root", "timestamp", "snapshot", *SIGNED_TARGETS):
        signed = Metadata.from_file(str(folder / f"{role}.json")).signed
        seen.versions[role], seen.expires[role] = signed.version, signed.expires.isoformat()
        if isinstance(signed, Targets):
            found += signed.targets.values()
    return updater, found


def _target(
    shelf: Shelf, updater: Updater, target: TargetFile, seen: Seen, step: Callable[[int], object]
) -> None:
    """Prove a target, and what it leads to."""
    if updater.get_targetinfo(target.path) != target:
        raise MetadataRefused("verify", target.path, "nobody who may vouches for it", "Publish it again")
    wanted = as_target(target)
    seen.cuts[wanted.sha256] = wanted.chunk
    seen.bytes += wanted.size
    step(wanted.size)
    if not target.path.endswith(f"/{MANIFEST}"):
        targets.read(shelf, wanted, wanted.size)
        return
    _, name, version, _ = target.path.split("/")
    _, manifest = read_manifest(shelf, wanted, name, version)
    _files(shelf, manifest, seen, step)
    seen.bundles[f"{name}@{version}"] = wanted.sha256


def _files(shelf: Shelf, manifest: Manifest, seen: Seen, step: Callable[[int], object]) -> None:
    for entry in manifest.files:
        _file(shelf, f"{manifest.name}@{manifest.version} {entry.path}", entry, step)
        seen.bytes += entry.size
        seen.cuts[entry.sha256] = entry.chunk_size


def _file(shelf: Shelf, subject: str, entry: FileEntry, step: Callable[[int], object]) -> None:
    whole = hashlib.sha256()
    hashes = entry.hashes
    for number, piece in enumerate(_pieces(shelf, entry.sha256, len(hashes), step)):
        if hashlib.sha256(piece).hexdigest() != hashes[number]:
            problem = f"chunk {number} is not what the manifest says"
            raise FetchFailed("verify", subject, problem, "Run: edgectl heal")
        whole.update(piece)
    if whole.hexdigest() != entry.sha256:
        raise FetchFailed("verify", subject, "its sha256 is not what the manifest says", "Pack it again")


def _pieces(shelf: Shelf, sha256: str, count: int, step: Callable[[int], object]) -> Iterator[bytes]:
    """Give all chunks of a file in order."""
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))
        found = dict(shelf.chunks(sha256, numbers, MOST_CHUNK))
        for number in numbers:
            step(len(found[number]))
            yield found[number]
