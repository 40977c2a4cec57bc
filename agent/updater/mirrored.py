"""A broker with a mirror beside it: each stands in for the other, for brokers that cannot hold models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import FetchFailed, LinkLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.updater.seams import Shelf


class Mirrored:
    """Asks the broker for metadata first, and the mirror for chunks; what one lacks, the other gives.

    A chunk that is asked for again came damaged from the mirror: then it is the broker's turn.

    Args:
        broker: its retained messages.
        mirror: the web server.
    """

    def __init__(self, broker: Shelf, mirror: Shelf) -> None:
        self._broker, self._mirror = broker, mirror
        self._of = ""
        self._given: set[int] = set()

    def get(self, path: str, most: int) -> bytes:
        """Give a file; see ``seams.Shelf``."""
        try:
            return self._broker.get(path, most)
        except (FetchFailed, LinkLost):
            return self._mirror.get(path, most)

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        """Give chunks of a file; see ``seams.Shelf``."""
        if sha256 != self._of:
            self._of, self._given = sha256, set()
        fresh = [number for number in numbers if number not in self._given]
        left = set(numbers)
        try:
            for number, data in self._mirror.chunks(sha256, fresh, most):
                self._given.add(number)
                left.discard(number)
                yield number, data
        except (FetchFailed, LinkLost):
            self._given.clear()  # the broker gets its turn now, and the mirror the next one
        if left:
            yield from self._broker.chunks(sha256, sorted(left), most)

    def close(self) -> None:
        """Let go of both."""
        self._broker.close()
        self._mirror.close()
