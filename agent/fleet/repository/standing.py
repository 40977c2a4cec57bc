"""How a broker stands to a repository: in step, behind, empty, or ahead of it.

It is ahead when another copy of the operator's folder has signed since. Where that copy has only signed anew
how new everything is, as the timer for ``edgectl resign`` does, its signature is taken over; where something
is signed here that was not sent yet, the next signature here goes past it. Where that copy has changed what
is published, nothing is signed here: two copies would tell devices two truths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp
from tuf.api.serialization import DeserializationError

from agent.errors import CopyBehind, FetchFailed
from agent.fleet.repository.roles import SIGNED_TARGETS
from agent.published import META, MOST_BYTES, file_name

if TYPE_CHECKING:
    from agent.fleet.repository.repository import Repository
    from agent.updater.seams import Shelf


def compare(repository: Repository, shelf: Shelf) -> bool | None:
    """Say whether the broker has what was published last; None where it has nothing at all.

    Args:
        repository: open, and not changed yet; it may take over a newer timestamp, or have to sign one.
        shelf: what the broker has.

    Raises:
        CopyBehind: the broker is ahead.
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
    version, newest = timestamp.signed.version, roles.version("timestamp")
    if version < newest:
        return False
    content = _snapshot(roles.root, shelf, timestamp)
    snapshot = parsed(content, Snapshot)
    if content is None or snapshot is None or not _known(repository, snapshot.signed):
        raise _ahead(f"timestamp {version}")
    if version > newest and snapshot.signed.meta == roles.snapshot.meta:
        repository.take_over(snapshot.signed.version, content, found)
        return True
    roles.skip("snapshot", snapshot.signed.version)
    roles.skip("timestamp", version)
    repository.renew("snapshot")
    return False


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


def _snapshot(root: Root, shelf: Shelf, timestamp: Metadata[Any]) -> bytes | None:
    """Give the snapshot that a proved timestamp names, if it is there and proved, too."""
    named = timestamp.signed.snapshot_meta
    content = read(shelf, f"{META}/{file_name('snapshot', named.version)}", MOST_BYTES["snapshot"])
    snapshot = parsed(content, Snapshot)
    if content is None or snapshot is None or not _proved(root, "snapshot", snapshot):
        return None
    try:
        named.verify_length_and_hashes(content)
    except RepositoryError:
        return None
    return content if snapshot.signed.version == named.version else None


def _known(repository: Repository, theirs: Snapshot) -> bool:
    """Say whether all that a snapshot names is, or was, published from here, too."""
    for name, named in theirs.meta.items():
        role = name.removesuffix(".json")
        if role not in SIGNED_TARGETS or named.version > repository.roles.version(role):
            return False
        try:
            named.verify_length_and_hashes(repository.tree.meta(file_name(role, named.version)).read_bytes())
        except (FileNotFoundError, RepositoryError):
            return False
    return True


def _proved(root: Root, role: str, metadata: Metadata[Any]) -> bool:
    return bool(root.get_verification_result(role, metadata.signed_bytes, metadata.signatures).verified)


def _ahead(what: str) -> CopyBehind:
    problem = f"another copy of it has signed {what} and published it"
    hint = "Work in that copy, or take over what is published: edgectl heal --from-broker"
    return CopyBehind("publish from", "this folder", problem, hint)
