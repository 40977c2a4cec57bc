"""Takes a repository back from a broker that has a newer one than the operator's folder, an old backup."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import AgentError, MetadataRefused
from agent.files import write_durably
from agent.fleet.repository import stranger
from agent.published import META, MOST_BYTES, file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.fleet.repository.stranger import Seen
    from agent.fleet.repository.tree import Tree
    from agent.updater.seams import Shelf


class _Keeping:
    """A shelf that keeps what it gives, each chunk in a file of its own."""

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self._shelf = shelf
        self._folder = folder
        self.meta: dict[str, bytes] = {}
        self.counts: dict[str, int] = {}

    def get(self, path: str, most: int) -> bytes:
        found = self._shelf.get(path, most)
        self.meta[path.removeprefix(f"{META}/")] = found
        return found

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        for number, content in self._shelf.chunks(sha256, numbers, most):
            (self._folder / f"{sha256}.{number}").write_bytes(content)
            self.counts[sha256] = max(self.counts.get(sha256, 0), number + 1)
            yield number, content

    def close(self) -> None:
        self._shelf.close()

    def whole(self, sha256: str) -> bytes:
        """Put a file together, and forget its chunks."""
        paths = [self._folder / f"{sha256}.{number}" for number in range(self.counts[sha256])]
        content = b"".join(path.read_bytes() for path in paths)
        for path in paths:
            path.unlink()
        return content


def restore(tree: Tree, shelf: Shelf, step: Callable[[int], object] = int) -> Seen:
    """Take over what is published, once all of it is proved from the first root on.

    Args:
        tree: the operator's, locked. Its metadata is written over by newer; its files stay.
        shelf: what is published.
        step: told of each piece's bytes.

    Raises:
        MetadataRefused: what is published does not hold together, or is not newer than what is here.
        AgentError: files are missing there, or the disk refuses.
        LinkLost: the broker is away.
    """
    root = tree.meta(file_name("root", 1)).read_bytes()
    with tempfile.TemporaryDirectory(prefix=".take-", dir=tree.root) as folder:
        keeping = _Keeping(shelf, Path(folder))
        seen = stranger.look(keeping, root, step)
        if seen.problems:
            raise AgentError("restore from", "the broker", seen.problems[0], "Look for another backup")
        mine = _version(tree)
        if seen.versions["timestamp"] <= mine:
            problem = f"its timestamp {seen.versions['timestamp']} is not newer than {mine} here"
            raise MetadataRefused("restore from", "the broker", problem, "Run: edgectl heal")
        for sha256 in sorted(keeping.counts):
            if not tree.blob(sha256).exists():
                tree.put(keeping.whole(sha256))
    tree.write_cuts(tree.cuts() | seen.cuts)
    for name in sorted(keeping.meta, key=lambda name: ("timestamp" in name, name)):
        write_durably(tree.meta(name), keeping.meta[name], 0o644)
    return seen


def _version(tree: Tree) -> int:
    """Give the version of the timestamp that is here; 0 where there is none that can be read."""
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata

    try:
        content = tree.meta("timestamp.json").read_bytes()
        version: int = Metadata.from_bytes(content[: MOST_BYTES["timestamp"]]).signed.version
    except (OSError, RepositoryError):
        return 0
    return version
