"""Short words for tests on an outbox: open it, fill it, drain it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from agent.blocks import Lease, Position, Stream, unpack
from agent.store.outbox import Outbox
from agent.store.segment import Segment
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = StoreSettings(block_results=4, segment_bytes=1)
"""Every commit gets a segment of its own."""


def opened(folder: Path, settings: StoreSettings = SMALL, clock: ManualClock | None = None) -> Outbox:
    return Outbox(folder, clock=clock or ManualClock(), settings=settings)


def fill(outbox: Outbox, count: int, first: int = 1) -> int:
    """Put and commit one record at a time: with SMALL, one segment each."""
    last = 0
    for n in range(first, first + count):
        last = outbox.put([{"n": n}], {})
        outbox.flush()
    return last


def acknowledge(outbox: Outbox, epoch: str, upto: int) -> int:
    """Acknowledge, durably; give how many records that were."""
    count = outbox.ack(epoch, upto)
    outbox.settle()
    return count


def numbers(lease: Lease | None) -> list[int]:
    assert lease is not None
    return [record["n"] for block in lease.blocks for record in unpack(block)[0]]


def drained(outbox: Outbox, after: Position | None = None, stream: Stream = "result") -> list[Lease]:
    leases: list[Lease] = []
    while (lease := outbox.lease(after, 1, stream)) is not None:
        leases.append(lease)
        after = Position(lease.epoch, lease.last)
    return leases


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "segments").iterdir())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A segment that can be opened, and refuses what is to be written; made when it is not there."""
    Segment.create(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
