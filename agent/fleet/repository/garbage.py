"""What of a repository nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.repository.roles import SIGNED_TARGETS
from agent.published import file_name

if TYPE_CHECKING:
    from agent.fleet.repository.repository import Repository


def unneeded_meta(repository: Repository) -> set[str]:
    """Give the names of metadata that nothing leads to any more; roots are kept for ever."""
    roles, tree = repository.roles, repository.tree
    kept = {roles.name(role) for role in (*SIGNED_TARGETS, "snapshot", "timestamp")}
    return tree.names() - kept - {file_name("root", version) for version in tree.versions("root")}


def unneeded_blobs(repository: Repository) -> set[str]:
    """Give the hashes of files that no signed manifest needs.

    Raises:
        AgentError: a manifest is missing.
        ManifestInvalid: a manifest is damaged.
    """
    bundles = repository.bundles().values()
    documents = repository.roles.targets("fleet").targets.values()
    needed = {one.hashes["sha256"] for one in (*bundles, *documents)}
    needed |= {entry.sha256 for one in bundles for entry in repository.manifest(one).files}
    return (repository.tree.blobs() | repository.cuts.keys()) - needed


def forget(repository: Repository, meta: set[str], blobs: set[str]) -> None:
    """Delete files that are not needed.

    Raises:
        OSError: the disk refuses.
    """
    tree, cuts = repository.tree, repository.cuts
    for name in sorted(meta):
        tree.meta(name).unlink(missing_ok=True)
    for sha256 in sorted(blobs):
        tree.blob(sha256).unlink(missing_ok=True)
        cuts.pop(sha256, None)
    tree.write_cuts(cuts)
