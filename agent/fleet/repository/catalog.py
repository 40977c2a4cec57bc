"""What is published of a repository: small pieces below ``tuf/``, in an order fit to be seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from agent.errors import Absent, FetchFailed
from agent.fleet.repository.roles import SIGNED_TARGETS
from agent.manifest import CHUNK_BYTES, MANIFEST
from agent.published import BLOB, HINT, META, file_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.fleet.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Piece:
    """One published file: a file of metadata, a chunk of a blob, or the hint.

    Attributes:
        path: below ``tuf/``.
        size: bytes.
        file: where it is read from; None has ``content``.
        offset: where in that file it begins, bytes.
        content: what it holds, where no file does.
    """

    path: str
    size: int
    file: Path | None = None
    offset: int = 0
    content: bytes = field(default=b"", repr=False)

    def read(self) -> bytes:
        """Give what is published.

        Raises:
            FetchFailed: the file cannot be read, or is not as long as it was.
        """
        if self.file is None:
            return self.content
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                found = file.read(self.size)
        except OSError as error:
            raise _unreadable(self.file, error.strerror or str(error)) from error
        if len(found) != self.size:
            raise _unreadable(self.file, "it is shorter than it was")
        return found


def cut(file: Path, sha256: str, size: int, chunk: int) -> list[Piece]:
    """Give the chunks of a blob.

    Args:
        file: where the whole file lies.
        sha256: the file's hash.
        size: the file's, bytes.
        chunk: of a chunk, bytes.
    """
    starts = range(0, size, chunk)
    return [
        Piece(f"{BLOB}/{sha256}/{number}", min(chunk, size - start), file, start)
        for number, start in enumerate(starts)
    ]


def blobs(repository: Repository) -> list[Piece]:
    """Give the chunks of all files that are vouched for: documents, manifests, and the files of bundles.

    Raises:
        AgentError: a manifest is missing.
        ManifestInvalid: a manifest is damaged.
    """
    bundles = repository.bundles().values()
    found: dict[str, list[Piece]] = {}
    for target in (*repository.roles.targets("fleet").targets.values(), *bundles):
        custom = target.custom if isinstance(target.custom, dict) else {}
        sha256, tree = target.hashes["sha256"], repository.tree
        chunk = int(custom.get("chunk", CHUNK_BYTES))
        found[sha256] = cut(tree.blob(sha256), sha256, target.length, chunk)
        if target.path.endswith(f"/{MANIFEST}"):
            for entry in repository.manifest(target).files:
                path = tree.blob(entry.sha256)
                found[entry.sha256] = cut(path, entry.sha256, entry.size, entry.chunk_size)
    return [piece for pieces in found.values() for piece in pieces]


def metadata(repository: Repository) -> list[Piece]:
    """Give the metadata that counts, and all roots: what others name comes first, the hint last."""
    roles, tree = repository.roles, repository.tree
    names = [file_name("root", version) for version in tree.versions("root")]
    names += [roles.name(role) for role in (*SIGNED_TARGETS, "snapshot", "timestamp")]
    pieces = [Piece(f"{META}/{name}", tree.meta(name).stat().st_size, tree.meta(name)) for name in names]
    return [*pieces, hint(repository)]


def hint(repository: Repository) -> Piece:
    """Give the hint: which versions are the newest; unsigned, it only saves asking."""
    roles = repository.roles
    content = orjson.dumps({"v": 1, "root": roles.version("root"), "timestamp": roles.version("timestamp")})
    return Piece(HINT, len(content), content=content)


class Local:
    """The repository as strangers see it: an ``agent.updater.seams.Shelf`` over the operator's folder."""

    def __init__(self, repository: Repository) -> None:
        every = [*blobs(repository), *metadata(repository)]
        self._pieces = {piece.path: piece for piece in every}

    def get(self, path: str, most: int) -> bytes:
        """Give a small file; see the seam."""
        piece = self._pieces.get(path)
        if piece is None:
            raise Absent("read", path, "it is not published")
        if piece.size > most:
            raise FetchFailed("read", path, f"it has {piece.size} bytes, and {most} is the most")
        return piece.read()

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        """Give chunks of a file; see the seam."""
        for number in numbers:
            yield number, self.get(f"{BLOB}/{sha256}/{number}", most)

    def close(self) -> None:
        """Nothing is held open."""


def _unreadable(file: Path, problem: str) -> FetchFailed:
    return FetchFailed("read", str(file), problem, "Copy it from a backup")
