"""Takes a repository over from a broker that has a newer one than this folder, a backup or a copy."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import AgentError, MetadataRefused
from agent.files import write_durably
from agent.fleet.repository import stranger
from agent.fleet.repository.roles import SIGNED_TARGETS
from agent.published import META, file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.fleet.repository.repository import Repository
    from agent.fleet.repository.stranger import Seen
    from agent.updater.seams import Shelf

_TAKEN = ".take-"
"""So the folder begins in which lies what is not proved yet."""


class _Keeping:
    """A shelf that keeps what it fetches, each chunk in a file of its own; what is here it reads here."""

    def __init__(self, shelf: Shelf, folder: Path, repository: Repository) -> None:
        self._shelf = shelf
        self._folder = folder
        self._repository = repository
        self._sound: dict[str, bool] = {}
        self.meta: dict[str, bytes] = {}
        self.counts: dict[str, int] = {}

    def get(self, path: str, most: int) -> bytes:
        found = self._shelf.get(path, most)
        self.meta[path.removeprefix(f"{META}/")] = found
        return found

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        if self._here(sha256):
            yield from self._read(sha256, numbers)
            return
        for number, content in self._shelf.chunks(sha256, numbers, most):
            (self._folder / f"{sha256}.{number}").write_bytes(content)
            self.counts[sha256] = max(self.counts.get(sha256, 0), number + 1)
            yield number, content

    def close(self) -> None:
        self._shelf.close()

    def _here(self, sha256: str) -> bool:
        """Say whether a file is here, sound, and cut as the whole fleet knows it; look only once."""
        if sha256 not in self._sound:
            path = self._repository.tree.blob(sha256)
            self._sound[sha256] = False
            if sha256 in self._repository.cuts and path.is_file():
                with path.open("rb") as file:
                    self._sound[sha256] = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        return self._sound[sha256]

    def _read(self, sha256: str, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        size = self._repository.cuts[sha256]
        with self._repository.tree.blob(sha256).open("rb") as file:
            for number in numbers:
                file.seek(number * size)
                yield number, file.read(size)

    def whole(self, sha256: str) -> bytes:
        """Put a file together, and forget its chunks."""
        paths = [self._folder / f"{sha256}.{number}" for number in range(self.counts[sha256])]
        content = b"".join(path.read_bytes() for path in paths)
        for path in paths:
            path.unlink()
        return content


def restore(repository: Repository, shelf: Shelf, step: Callable[[int], object] = int) -> Seen:
    """Take over what is published, once all of it is proved from the first root on, and nothing goes back.

    Args:
        repository: open; its metadata is written over by newer and read anew. Sound files stay.
        shelf: what is published.
        step: told of each piece's bytes.

    Raises:
        MetadataRefused: what is published does not hold together, or is not newer than what is here.
        AgentError: files are missing there, or the disk refuses.
        LinkLost: the broker is away.
    """
    tree = repository.tree
    for left in tree.root.glob(f"{_TAKEN}*"):  # by a kill
        shutil.rmtree(left)
    root = tree.meta(file_name("root", 1)).read_bytes()
    with tempfile.TemporaryDirectory(prefix=_TAKEN, dir=tree.root) as folder:
        keeping = _Keeping(shelf, Path(folder), repository)
        seen = stranger.look(keeping, root, step, lambda seen: _forward(repository, keeping.meta, seen))
        if seen.problems:
            raise AgentError("restore from", "the broker", seen.problems[0], "Look for another backup")
        for sha256 in sorted(keeping.counts):
            write_durably(tree.blob(sha256), keeping.whole(sha256), 0o644)
    tree.write_cuts(tree.cuts() | seen.cuts)
    for name in sorted(keeping.meta, key=lambda name: ("timestamp" in name, name)):
        tree.write_meta(name, keeping.meta[name])
    repository.load()
    return seen


def _forward(repository: Repository, meta: dict[str, bytes], seen: Seen) -> None:
    """Refuse what would lead this folder back, or aside; who has stolen old keys can prove that, too.

    Raises:
        MetadataRefused: a role is older than here, or another file has a name that is taken here.
        OSError: the disk refuses.
    """
    tree, roles = repository.tree, repository.roles
    for role, version in seen.versions.items():
        if version < roles.version(role):
            raise _refused(f"its {role} {version} is older than {roles.version(role)} here")
    if meta["timestamp.json"] == tree.meta("timestamp.json").read_bytes():
        raise _refused(f"its timestamp {seen.versions['timestamp']} is the one that is here")
    names = [file_name("root", version) for version in tree.versions("root")[1:]]
    names += [roles.name(role) for role in SIGNED_TARGETS if seen.versions[role] == roles.version(role)]
    for name in names:
        if meta.get(name) != tree.meta(name).read_bytes():
            problem = f"its {name} is another than the one here"
            hint = (
                "Two copies have published: take over into a backup from before, and do again what it lacks"
            )
            raise MetadataRefused("restore from", "the broker", problem, hint)


def _refused(problem: str) -> MetadataRefused:
    hint = "Run: edgectl heal; where that refuses, too, take over into a backup from before"
    return MetadataRefused("restore from", "the broker", problem, hint)
