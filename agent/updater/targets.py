"""Small files that the metadata vouches for: documents and manifests, in memory, proved as a whole."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from agent.errors import FetchFailed
from agent.updater import refusals

if TYPE_CHECKING:
    from agent.updater.metadata import Target
    from agent.updater.seams import Shelf

TRIES = 3
"""How often something is asked for that comes damaged."""


def read(shelf: Shelf, target: Target, most: int) -> bytes:
    """Fetch a file; its bytes are those that were signed.

    Args:
        shelf: who holds it.
        target: what is vouched for.
        most: bytes of the largest one that is taken.

    Raises:
        FetchFailed: it is too large, or comes damaged every time.
        Absent: a part of it is not there.
        LinkLost: the other side is away.
    """
    if target.size > most:
        problem = f"{target.size} bytes are signed, and {most} is the most"
        raise FetchFailed("fetch", target.path, problem, "Publish a smaller one")
    numbers = range(-(-target.size // target.chunk))
    for _ in range(TRIES):
        chunks = {
            number: data
            for number, data in shelf.chunks(target.sha256, numbers, target.chunk)
            if number in numbers and len(data) == min(target.chunk, target.size - number * target.chunk)
        }
        content = b"".join(chunks.get(number, b"") for number in numbers)
        if hashlib.sha256(content).hexdigest() == target.sha256:
            return content
    raise FetchFailed("fetch", target.path, f"it came damaged {TRIES} times", refusals.HEAL)
