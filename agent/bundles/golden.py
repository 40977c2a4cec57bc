"""A bundle's golden inputs, with their hashes checked, and what the model must make of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import golden
from agent.bundles.load import inside, read_file, read_manifest
from agent.errors import ManifestInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.manifest import FileEntry
    from agent.types import JsonValue

_MAX_INPUT = 64 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """One golden input.

    Attributes:
        path: of the file that the ``images`` source reads.
        expect: items that the result must begin with.
        tol: how far their numbers may be off.
    """

    path: Path
    expect: tuple[Mapping[str, JsonValue], ...]
    tol: float

    def differs(self, items: Sequence[Mapping[str, JsonValue]]) -> str:
        """Say how a result's items differ from the golden ones; "" when they agree."""
        return golden.differs(items, self.expect, self.tol)


def cases(folder: Path) -> list[Case]:
    """Give the golden inputs of the bundle in ``folder``.

    Raises:
        ManifestInvalid: the manifest is wrong, or a file is missing, too large, or not the one that was
            hashed.
    """
    manifest = read_manifest(folder)
    return [Case(_checked(folder, manifest.file(one.input)), one.expect, one.tol) for one in manifest.golden]


def _checked(folder: Path, entry: FileEntry) -> Path:
    path = inside(folder, entry.path)
    data = read_file(path, _MAX_INPUT, ManifestInvalid, "read golden input")
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ManifestInvalid(
            "read golden input",
            str(path),
            "it is not the file that the manifest names",
            "Copy the bundle again",
        )
    return path
