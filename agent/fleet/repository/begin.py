"""Makes a repository: all keys, and metadata that vouches for nothing but the control key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.errors import AgentError, MetadataRefused
from agent.files import advice
from agent.fleet.repository.keystore import NAMES
from agent.fleet.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.fleet.repository.tree import Tree

ROLES = ("root", "targets", "models", "fleet", "snapshot")


def begin(folder: Path, ask: Callable[[], str], clock: Callable[[], float] = time.time) -> list[Path]:
    """Make what is missing of a repository; give the files that were made. One that is whole stays as it is.

    Args:
        folder: the operator's; made when it is not there.
        ask: gives the passphrase, if keys are to be made.
        clock: wall time, seconds since 1970.

    Raises:
        ConfigInvalid: there is no passphrase, or it does not open the keys that are there.
        MetadataRefused: the folder is damaged.
        AgentError: somebody else is at work in it, or the disk refuses.
    """
    repository = Repository(folder, ask, clock)
    tree = repository.tree
    try:
        tree.make()
        with tree.alone():
            if tree.meta("timestamp.json").exists():
                return []
            _refuse_remains(tree)
            made = repository.keys.make(NAMES)  # a kill after this: the same keys sign the next time
            repository.begin()
            repository.commit()
            return [*made, *(tree.meta(name) for name in sorted(tree.names()))]
    except OSError as error:
        problem, hint = error.strerror or str(error), advice(error)
        raise AgentError("make repository in", str(folder), problem, hint) from error


def _refuse_remains(tree: Tree) -> None:
    """Refuse to begin anew where a repository has been at work: devices know it already."""
    if any(version > 1 for role in ROLES for version in tree.versions(role)):
        problem, hint = "timestamp.json is missing, and the rest is not", "Copy it from a backup"
        raise MetadataRefused("make repository in", str(tree.folder), problem, hint)
