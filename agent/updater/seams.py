"""Where published files come from: a broker's retained messages, or a web server with the same tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Shelf(Protocol):
    """Published files, by their paths below ``tuf/``. What it gives is not proved.

    Its methods block; they raise ``LinkLost`` when the other side is away or goes silent.
    """

    def get(self, path: str, most: int) -> bytes:
        """Give a whole small file: "meta/timestamp.json", "hint".

        Raises:
            Absent: there is no such file.
            FetchFailed: it has more than ``most`` bytes, or does not come.
        """

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        """Give chunks of the file with this hash, in the order in which they come.

        Few are asked for at a time, so memory stays bounded. One that comes twice, or that nobody asked for,
        is left out.

        Args:
            sha256: the file's hash, 64 hex digits.
            numbers: which chunks, from 0.
            most: bytes of the largest chunk.

        Raises:
            Absent: some of them are not there; the others have come.
            FetchFailed: one is too large, or does not come.
        """

    def close(self) -> None:
        """Let go of the other side. Idempotent."""
