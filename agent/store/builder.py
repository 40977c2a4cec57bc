"""Records become blocks here, in memory: numbered, dated, gathered, packed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from agent.blocks import Block, Times, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.clock import Clock
    from agent.store.settings import StoreSettings

_NS = 1_000_000_000


class BlockBuilder:
    """The open block of one stream's epoch, and the closed ones that await their commit.

    A block is cut between two calls of ``add`` only, so the ledgers in it are those of its last record.
    It outgrows the settings by no more than what one call brings.

    Args:
        clock: dates the records.
        settings: when a block is full.
        interval_s: how long a record may wait here.
    """

    def __init__(self, clock: Clock, settings: StoreSettings, *, interval_s: float = 0.0) -> None:
        self._clock = clock
        self._settings = settings
        self._interval_s = interval_s
        self._began = clock.monotonic()
        self._before_s = 0
        self._ledgers: dict[str, Mapping[str, Any]] = {}
        self._records: list[dict[str, Any]] = []
        self._bytes = 0
        self._open_ledgers: dict[str, Mapping[str, Any]] = {}
        self._mark: dict[str, Any] = {}
        self._opened_at: float | None = None
        self.last = 0
        """The sequence number of the last record added; 0 before the first."""
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
        mark = self._clock_mark()
        if self._records and (mark != self._mark or not self._fits(len(dated), size)):
            self.close()
        if self._opened_at is None:
            self._opened_at = self._clock.monotonic()
            self._mark = mark
        self._records += dated
        self._bytes += size
        self._open_ledgers = dict(self._ledgers)
        self.last += len(dated)
        if not self._fits(1, 1):
            self.close()
        return self.last

    def due(self, now: float) -> float | None:
        """Seconds from ``now`` (monotonic) until the next commit is wanted; None when nothing waits."""
        if self.closed:
            return 0.0
        if self._opened_at is None:
            return None
        return max(0.0, self._opened_at + self._interval_s - now)

    def close(self) -> None:
        """Pack the open block, if it holds anything."""
        if not self._records:
            return
        count = len(self._records)
        data = pack(self._records, self._open_ledgers, self._mark)
        walls = [record["wall_ns"] for record in self._records]
        times = Times(min(walls), max(walls), self.age_s)
        self.closed.append(Block(self.last - count + 1, count, data, times))
        self._records, self._bytes, self._opened_at = [], 0, None

    def add_age(self, before_s: int) -> None:
        """Say for how many seconds the agent had run before this start: known once the disk can be read.

        Blocks that were packed earlier are dated again, else they would look older than they are.
        """
        more = before_s - self._before_s
        self._before_s = before_s
        for place, block in enumerate(self.closed):
            if block.times is not None:
                times = replace(block.times, powered_s=block.times.powered_s + more)
                self.closed[place] = replace(block, times=times)

    @property
    def open(self) -> int:
        """Records in the block that is not closed yet."""
        return len(self._records)

    @property
    def age_s(self) -> int:
        """For how many seconds the agent has run, this start and all before."""
        return self._before_s + int(self._clock.monotonic() - self._began)

    def _fits(self, count: int, size: int) -> bool:
        return (
            len(self._records) + count <= self._settings.block_results
            and self._bytes + size <= self._settings.block_bytes
        )

    def _clock_mark(self) -> dict[str, Any]:
        return {"boot": self._clock.boot, "synced": self._clock.synced()}

    def _date(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Add ``wall_ns``, the wall time of capture in ns since 1970, worked out from the frame's age."""
        wall = self._clock.wall_ns()
        offset = wall - int(self._clock.monotonic() * _NS)
        dated = []
        for record in records:
            captured = record.get("captured_ns")
            dated.append({**record, "wall_ns": offset + captured if isinstance(captured, int) else wall})
        return dated
