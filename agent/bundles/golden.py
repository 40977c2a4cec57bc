"""A bundle's golden inputs, with their hashes checked, and what the model must make of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent import golden
from agent.bundles.load import inside, read_file
from agent.errors import ManifestInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.manifest import FileEntry, Manifest
    from agent.types import JsonValue

_MAX_INPUT = 64 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """One golden input.

    Attributes:
        path: of the file, as the ``images`` source would read it.
        data: the file's bytes, as they were hashed.
        expect: items that the result must begin with.
        tol: how far their numbers may be off.
    """

    path: Path
    data: bytes = field(repr=False)
    expect: tuple[Mapping[str, JsonValue], ...]
    tol: float

    def differs(self, items: Sequence[Mapping[str, JsonValue]]) -> str:
        """Say how a result's items differ from the golden ones; "" when they agree."""
        return golden.differs(items, self.expect, self.tol)


def cases(folder: Path, manifest: Manifest) -> Iterator[Case]:
    """Give the golden inputs of the bundle in ``folder``, each read when it is asked for.

    Raises:
        ManifestInvalid: a file is missing, too large, or not the one that was hashed.
    """
    for one in manifest.golden:
        path = inside(folder, one.input)
        data = _checked(path, manifest.file(one.input))
        yield Case(path, data, one.expect, one.tol)


def _checked(path: Path, entry: FileEntry) -> bytes:
    data = read_file(path, _MAX_INPUT, ManifestInvalid, "read golden input")
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        problem = "it is not the file that the manifest names"
        raise ManifestInvalid("read golden input", str(path), problem, "Copy the bundle again")
    return data
