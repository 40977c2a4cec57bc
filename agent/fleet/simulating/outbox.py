"""A simulated device's store: in memory, with the outbox's rules for leases, acknowledgements and losses.

Records are numbered and packed by the store's own builder. What a lease gives stays until it is acknowledged;
what the cap takes before that is counted and declared, as on a disk.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.blocks import STREAMS, Lease, Loss
from agent.slots import entry_after
from agent.store.builder import BlockBuilder
from agent.store.reports import Acked, Changed, Committed, Leased

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.blocks import Block, Position, Stream
    from agent.clock import Clock
    from agent.slots import Change
    from agent.store.settings import StoreSettings


@dataclass(slots=True)
class _Queue:
    """One stream of the only epoch."""

    builder: BlockBuilder
    blocks: deque[Block] = field(default_factory=deque)
    losses: list[Loss] = field(default_factory=list)
    size: int = 0
    acked: int = 0
    committed: int = 0
    evicted: int = 0


class MemoryStore:
    """What the delivery, the recorder and activation need of a store. For one thread.

    Args:
        clock: dates records.
        settings: how they are gathered; ``memory_bytes`` is the most that waits for the collector.
        post: takes the reports, at once.
    """

    def __init__(self, clock: Clock, settings: StoreSettings, post: Callable[[object], None]) -> None:
        self._clock, self._post = clock, post
        self._most = settings.memory_bytes
        self.epoch = secrets.token_hex(8)
        interval_s = settings.commit_interval_s
        self._queues: dict[Stream, _Queue] = {
            stream: _Queue(BlockBuilder(clock, settings, interval_s=interval_s)) for stream in STREAMS
        }
        self._audit = (0, "")
        self._asked: deque[tuple[Stream, Position | None, int, int]] = deque()

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        """Take records, and the ledgers as of the last of them."""
        self._queues[stream].builder.add(records, ledgers)

    def lease(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        """Ask for blocks; ``Leased`` follows with the next ``turn``."""
        self._asked.append((stream, after, max_bytes, token))

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        """Forget what the collector has; what was never committed here is not believed."""
        queue = self._queues[stream]
        if epoch != self.epoch or not queue.acked < upto <= queue.committed:
            return
        count, queue.acked = upto - queue.acked, upto
        while queue.blocks and queue.blocks[0].last <= upto:
            queue.size -= len(queue.blocks.popleft().data)
        queue.losses = [loss for loss in queue.losses if loss.last > upto]
        self._post(Acked(stream, epoch, upto, count))

    def lose(self, stream: Stream, epoch: str, first: int, last: int) -> None:
        """Give up records that no broker takes; they are declared with the next lease."""
        if epoch == self.epoch:
            queue = self._queues[stream]
            queue.losses.append(Loss(first, last, "oversized"))
            queue.evicted += last - first + 1

    def holds(self, epoch: str) -> bool:
        """Whether this is our epoch."""
        return epoch == self.epoch

    def change(self, change: Change, token: int) -> None:
        """Chain a change's notes to the audit log, and say that it is kept; this memory is the disk."""
        seq, head = self._audit
        for note in change.notes:
            seq += 1
            wall_ns = self._clock.wall_ns()
            head = entry_after(seq, head, note, wall_ns, synced=self._clock.synced()).hash
        self._audit = seq, head
        self._post(Changed(token, self._audit))

    def turn(self, now: float, *, everything: bool = False) -> None:
        """Commit what is due, or all of it, and answer who asked for blocks."""
        for stream, queue in self._queues.items():
            due = queue.builder.due(now)
            if due is not None and (due <= 0 or everything):
                self._commit(stream, queue)
        while self._asked:
            stream, after, most, token = self._asked.popleft()
            self._post(Leased(token, stream, self._leased(stream, after, most)))

    def due(self, now: float) -> float | None:
        """Seconds until ``turn`` has something to do; None for nothing."""
        if self._asked:
            return 0.0
        waits = [wait for one in self._queues.values() if (wait := one.builder.due(now)) is not None]
        return min(waits, default=None)

    @property
    def committed(self) -> int:
        """Records that were committed, ever."""
        return sum(one.committed for one in self._queues.values())

    @property
    def acked(self) -> int:
        """Records that the collector has, or was told that they are lost."""
        return sum(one.acked for one in self._queues.values())

    @property
    def lost(self) -> int:
        """Records that were given up, ever."""
        return sum(one.evicted for one in self._queues.values())

    @property
    def backlog(self) -> int:
        """Committed records that wait for the collector."""
        return self.committed - self.acked

    @property
    def oldest_ns(self) -> int | None:
        """Wall time of the oldest record that waits for the collector, ns since 1970; None without any."""
        blocks = [one.blocks[0] for one in self._queues.values() if one.blocks]
        return min((block.times.from_ns for block in blocks if block.times), default=None)

    @property
    def pending(self) -> int:
        """Records that were put, and are neither with the collector nor given up."""
        return self.backlog + sum(one.builder.last - one.committed for one in self._queues.values())

    def _commit(self, stream: Stream, queue: _Queue) -> None:
        queue.builder.close()
        before = queue.committed
        for block in queue.builder.closed:
            queue.blocks.append(block)
            queue.size += len(block.data)
            queue.committed = block.last
        queue.builder.closed.clear()
        while queue.size > self._most and len(queue.blocks) > 1:
            self._evict(queue)
        self._post(Committed(stream, self.epoch, queue.committed, queue.committed - before))

    def _evict(self, queue: _Queue) -> None:
        gone = queue.blocks.popleft()
        queue.size -= len(gone.data)
        first = max(gone.first, queue.acked + 1)
        queue.evicted += gone.last - first + 1
        last = queue.losses[-1] if queue.losses else None
        if last is not None and last.reason == "evicted" and last.last == first - 1:
            queue.losses[-1] = Loss(last.first, gone.last, "evicted")
        else:
            queue.losses.append(Loss(first, gone.last, "evicted"))

    def _leased(self, stream: Stream, after: Position | None, most: int) -> Lease | None:
        queue = self._queues[stream]
        start = queue.acked
        if after is not None and after.epoch == self.epoch:
            start = max(start, after.seq)
        chosen: list[Block] = []
        size = 0
        for block in queue.blocks:
            if block.last <= start:
                continue
            if chosen and size + len(block.data) > most:
                break
            chosen.append(block)
            size += len(block.data)
        if not chosen:
            return None
        first = chosen[0].first
        lost = tuple(loss for loss in queue.losses if loss.last < first)
        low = max(queue.acked + 1, queue.blocks[0].first)
        return Lease(self.epoch, low, tuple(chosen), live=True, stream=stream, lost=lost)
