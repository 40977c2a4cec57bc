"""The fleet's documents before they are signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.load import read_file
from agent.documents import policy
from agent.errors import BundleRefused, MessageInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from agent.fleet.repository.repository import Repository


def read_policy(path: Path) -> bytes:
    """Read a policy from a file of the operator's; give it as it is signed.

    Raises:
        MessageInvalid: it is none.
    """
    content = read_file(path, policy.MAX_BYTES, MessageInvalid, "read policy")
    try:
        return policy.written(content).model_dump_json().encode()
    except MessageInvalid as error:
        raise MessageInvalid("read policy", str(path), error.problem, "See edgectl policy --help") from error


def refused(repository: Repository, content: bytes | None) -> list[str]:
    """Say which published bundles a policy refuses, and by which rule."""
    if content is None:
        return []
    rules, found = policy.decode(content), []
    for (name, version), target in repository.bundles().items():
        try:
            rules.check(repository.manifest(target))
        except BundleRefused as error:
            found.append(f"{name}@{version}: {error.problem}")
    return found
