"""Published files in memory, held by somebody who lies: see ``agent.updater.seams.Shelf``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import Absent, FetchFailed, LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class LyingShelf:
    """Gives what is published, but for the lies that it was told to tell.

    Args:
        files: by their paths, as ``TufFleet.files`` gives them.

    Attributes:
        files: what is given; change it to lie for good.
        lies: what is given in place of a file, and how many more times.
        asked: every path that was asked for, in order.
        given: chunks that were given, as (sha256, number).
        order: in which order chunks come.
        extra: chunks that come unasked before all others.
        twice: give each chunk two times.
        left: how many files are given before the link is lost; None for no end.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.lies: dict[str, tuple[bytes, int]] = {}
        self.asked: list[str] = []
        self.given: list[tuple[str, int]] = []
        self.order: Callable[[Sequence[int]], Sequence[int]] = lambda numbers: numbers
        self.extra: list[tuple[int, bytes]] = []
        self.twice = False
        self.left: int | None = None
        self.closed = False

    def get(self, path: str, most: int) -> bytes:
        """Give a file."""
        data = self._look(path)
        if data is None:
            raise Absent("fetch", path, "it is not there")
        if len(data) > most:
            raise FetchFailed("fetch", path, f"it has more than {most} bytes")
        return data

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        """Give chunks."""
        yield from self.extra
        absent = []
        for number in self.order(numbers):
            data = self._look(f"blob/{sha256}/{number}")
            if data is None:
                absent.append(number)
                continue
            if len(data) > most:
                raise FetchFailed("fetch", f"blob/{sha256}/{number}", f"it has more than {most} bytes")
            for _ in range(2 if self.twice else 1):
                self.given.append((sha256, number))
                yield number, data
        if absent:
            raise Absent("fetch", sha256, f"chunks {absent} are not there")

    def close(self) -> None:
        """Note that it is over."""
        self.closed = True

    def _look(self, path: str) -> bytes | None:
        self.asked.append(path)
        if self.left is not None:
            if not self.left:
                raise LinkLost("fetch", path, "the broker is away")
            self.left -= 1
        if path in self.lies:
            lie, times = self.lies[path]
            if times:
                self.lies[path] = lie, times - 1
                return lie
        return self.files.get(path)
