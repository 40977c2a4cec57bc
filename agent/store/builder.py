"""Records become blocks here, in memory: numbered, dated, gathered, packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from agent.blocks import Block, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.clock import Clock


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How results are gathered and laid out.

    Attributes:
        commit_interval_s: the longest that a record waits for its commit.
        block_results: a block closes at so many records.
        block_bytes: a block closes at about so many bytes of JSON; they pack to a third or less.
        segment_bytes: a segment file is closed, and the next begun, at this size.
    """

    commit_interval_s: float = 0.5
    block_results: int = 64
    block_bytes: int = 48 << 10
    segment_bytes: int = 16 << 20


class BlockBuilder:
    """The open block of one epoch, and the closed ones that await their commit.

    A block is cut between two calls of ``add`` only, so the ledgers in it are those of its last record.
    It outgrows the settings by no more than what one call brings.
    """

    def __init__(self, clock: Clock, settings: StoreSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._ledgers: dict[str, Mapping[str, Any]] = {}
        self._records: list[dict[str, Any]] = []
        self._bytes = 0
        self._open_ledgers: dict[str, Mapping[str, Any]] = {}
        self.last = 0
        """The sequence number of the last record added; 0 before the first."""
        self.opened_at: float | None = None
        """When the open block got its first record, on the monotonic clock; None when it is empty."""
        self.closed: list[Block] = []
        """Blocks to commit, oldest first. Whoever has stored some removes them."""

    def add(self, records: Sequence[Mapping[str, Any]], ledgers: Mapping[str, Mapping[str, Any]]) -> int:
        """Take records, and the ledgers as of the last of them; give the last one's sequence number.

        A pipeline's ledger replaces the one it had. Without records the ledgers wait for the next.
        """
        self._ledgers.update(ledgers)
        if not records:
            return self.last
        dated = self._date(records)
        size = len(orjson.dumps(dated))
        if self._records and not self._fits(len(dated), size):
            self.close()
        if self.opened_at is None:
            self.opened_at = self._clock.monotonic()
        self._records += dated
        self._bytes += size
        self._open_ledgers = dict(self._ledgers)
        self.last += len(dated)
        if not self._fits(1, 1):
            self.close()
        return self.last

    def close(self) -> None:
        """Pack the open block, if it holds anything."""
        if not self._records:
            return
        count = len(self._records)
        self.closed.append(Block(self.last - count + 1, count, pack(self._records, self._open_ledgers)))
        self._records, self._bytes, self.opened_at = [], 0, None

    def _fits(self, count: int, size: int) -> bool:
        return (
            len(self._records) + count <= self._settings.block_results
            and self._bytes + size <= self._settings.block_bytes
        )

    def _date(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Add ``wall_ns``, the wall time of capture in ns since 1970, worked out from the frame's age."""
        wall = self._clock.wall_ns()
        offset = wall - int(self._clock.monotonic() * 1e9)
        dated = []
        for record in records:
            captured = record.get("captured_ns")
            dated.append({**record, "wall_ns": offset + captured if isinstance(captured, int) else wall})
        return dated
