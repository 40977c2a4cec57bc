"""Looks at a repository as one who knows only the first root: by python-tuf's client, and file by file."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from agent import manifest as manifests
from agent.errors import Absent, AgentError, FetchFailed, ManifestInvalid, MetadataRefused
from agent.fleet.repository.roles import CHUNK_MOST, DELEGATED, KEYS, MOST_BYTES, SIGNED_TARGETS
from agent.fleet.repository.tree import META
from agent.manifest import CHUNK_BYTES, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.manifest import FileEntry, Manifest
    from agent.updater.seams import Shelf

_BASE = "shelf:/"
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


class _Fetcher(FetcherInterface):
    """Metadata from a shelf. ``lost`` keeps our own error, which python-tuf wraps."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.lost: AgentError | None = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(_BASE)
        role = name.removesuffix(".json").rpartition(".")[2]
        try:
            return iter([self._shelf.get(f"{META}/{name}", MOST_BYTES[role])])
        except Absent as error:
            self.lost = error
            raise DownloadHTTPError(f"{name} is not there", 404) from error
        except AgentError as error:
            self.lost = error
            raise


def look(shelf: Shelf, root: bytes, step: Callable[[int], object] = int) -> Seen:
    """Prove all metadata from the first root on, and each file that it vouches for.

    Args:
        shelf: where the files are.
        root: ``1.root.json``.
        step: told of each piece's bytes.

    Raises:
        MetadataRefused: the metadata does not hold together, has expired, or is not all there.
        LinkLost: the other side is away.
    """
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="edgectl-verify-") as folder:
        updater, targets = _metadata(shelf, root, Path(folder), seen)
        for target in targets:
            try:
                _target(shelf, updater, target, seen, step)
            except (FetchFailed, ManifestInvalid, MetadataRefused) as error:
                seen.problems.append(str(error))
    return seen


def _metadata(shelf: Shelf, root: bytes, folder: Path, seen: Seen) -> tuple[Updater, list[TargetFile]]:
    """Have python-tuf prove everything; give all that it vouches for."""
    config = UpdaterConfig(
        root_max_length=MOST_BYTES["root"],
        timestamp_max_length=MOST_BYTES["timestamp"],
        snapshot_max_length=MOST_BYTES["snapshot"],
        targets_max_length=MOST_BYTES["targets"],
    )
    fetcher = _Fetcher(shelf)
    try:
        updater = Updater(str(folder), _BASE, fetcher=fetcher, config=config, bootstrap=root)
        updater.refresh()
        for role in DELEGATED:
            updater.get_targetinfo(KEYS if role == "fleet" else f"models/-/-/{MANIFEST}")
    except (RepositoryError, DownloadError) as error:
        if fetcher.lost is not None and not isinstance(fetcher.lost, Absent):
            raise fetcher.lost from error
        hint = "Run: edgectl resign; for what the broker lost: edgectl heal"
        raise MetadataRefused("verify", "metadata", str(error), hint) from error
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
    sha256 = target.hashes["sha256"]
    custom = target.custom if isinstance(target.custom, dict) else {}
    chunk = int(custom.get("chunk", CHUNK_BYTES))
    content = b"".join(_pieces(shelf, sha256, -(-target.length // chunk), step))
    seen.cuts[sha256] = chunk
    seen.bytes += len(content)
    if len(content) != target.length or hashlib.sha256(content).hexdigest() != sha256:
        raise FetchFailed("verify", target.path, "it is not what the metadata says", "Run: edgectl heal")
    if not target.path.endswith(f"/{MANIFEST}"):
        return
    manifest = manifests.parse(content, target.path)
    _, name, version, _ = target.path.split("/")
    if (manifest.name, manifest.version) != (name, version):
        raise ManifestInvalid("verify", target.path, f"it is that of {manifest.name}@{manifest.version}")
    _files(shelf, manifest, seen, step)
    seen.bundles[f"{name}@{version}"] = sha256


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
        found = dict(shelf.chunks(sha256, numbers, CHUNK_MOST))
        for number in numbers:
            step(len(found[number]))
            yield found[number]
