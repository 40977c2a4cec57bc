"""How a broker stands to a repository: in step, behind, empty, or ahead of it.

It is ahead when another copy of the operator's folder has signed since. Where that copy has only signed anew
how new everything is, as the timer for ``edgectl resign`` does, its signature is taken over. Where it has
changed what is published, nothing is signed here: two copies would tell devices two truths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp
from tuf.api.serialization import DeserializationError

from agent.errors import ConfigInvalid, FetchFailed
from agent.published import META, MOST_BYTES, file_name

if TYPE_CHECKING:
    from agent.fleet.repository.repository import Repository
    from agent.updater.seams import Shelf


def compare(repository: Repository, shelf: Shelf) -> bool | None:
    """Say whether the broker has what was published last; None where it has nothing at all.

    Args:
        repository: open, and not changed yet; it may take over a newer timestamp.
        shelf: what the broker has.

    Raises:
        ConfigInvalid: the broker is ahead.
        LinkLost: the broker is away.
        OSError: the disk refuses.
    """
    roles = repository.roles
    name = file_name("root", roles.version("root") + 1)
    root = parsed(read(shelf, f"{META}/{name}", MOST_BYTES["root"]), Root)
    if root is not None and _proved(roles.root, "root", root):
        raise _ahead(name)
    ours = repository.tree.meta("timestamp.json").read_bytes()
    found = read(shelf, f"{META}/timestamp.json", MOST_BYTES["timestamp"])
    if found is None or found == ours:
        return None if found is None else True
    timestamp = parsed(found, Timestamp)
    if timestamp is None or not _proved(roles.root, "timestamp", timestamp):
        return False
    version: int = timestamp.signed.version
    if version < roles.version("timestamp"):
        return False
    snapshot = _same_but_newer(repository, shelf, timestamp) if version > roles.version("timestamp") else None
    if snapshot is None:
        raise _ahead(f"timestamp {version}")
    repository.take_over(timestamp.signed.snapshot_meta.version, snapshot, found)
    return True


def read(shelf: Shelf, path: str, most: int) -> bytes | None:
    """Read what a broker has; None where it has nothing that could be ours."""
    try:
        return shelf.get(path, most)
    except FetchFailed:
        return None


def parsed(content: bytes | None, kind: type[Root | Timestamp | Snapshot]) -> Metadata[Any] | None:
    """Read metadata that nobody vouches for; None where it is none of this kind."""
    if content is None:
        return None
    try:
        found: Metadata[Any] = Metadata.from_bytes(content)
    except (DeserializationError, RepositoryError):
        return None
    return found if isinstance(found.signed, kind) else None


def _same_but_newer(repository: Repository, shelf: Shelf, timestamp: Metadata[Any]) -> bytes | None:
    """Give the snapshot of a newer timestamp, if it vouches for just what ours does."""
    named = timestamp.signed.snapshot_meta
    content = read(shelf, f"{META}/{file_name('snapshot', named.version)}", MOST_BYTES["snapshot"])
    snapshot = parsed(content, Snapshot)
    if content is None or snapshot is None or not _proved(repository.roles.root, "snapshot", snapshot):
        return None
    try:
        named.verify_length_and_hashes(content)
    except RepositoryError:
        return None
    same = snapshot.signed.version == named.version and snapshot.signed.meta == repository.roles.snapshot.meta
    return content if same else None


def _proved(root: Root, role: str, metadata: Metadata[Any]) -> bool:
    return bool(root.get_verification_result(role, metadata.signed_bytes, metadata.signatures).verified)


def _ahead(what: str) -> ConfigInvalid:
    problem = f"another copy of it has signed {what} and published it"
    hint = "Work in that copy, or take over what is published: edgectl heal --from-broker"
    return ConfigInvalid("publish from", "this folder", problem, hint)
