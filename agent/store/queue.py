"""One stream of the outbox: what waits of it, by epoch, on disk and in memory. Knows nothing of state.db."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.blocks import Lease, Loss
from agent.store.repair import adjacent

if TYPE_CHECKING:
    from agent.blocks import Block, LossReason, Position, Stream
    from agent.store.builder import BlockBuilder
    from agent.store.chain import Piece, SegmentChain

_BLOCKS_A_COMMIT = 32
"""So that one transaction, and the growth of one segment, stay small after the disk was away."""


@dataclass(slots=True)
class Epoch:
    """One epoch of one stream.

    Attributes:
        name: 16 hex digits.
        chain: its segment files.
        acked: how far the collector has it.
        durable: how far state.db knows that.
        losses: what is gone above ``acked``, in order, without overlaps.
    """

    name: str
    chain: SegmentChain
    acked: int = 0
    durable: int = 0
    losses: list[Loss] = field(default_factory=list)

    def sound_from(self, seq: int) -> int:
        """The first record from ``seq`` on that is not known to be lost."""
        for loss in self.losses:
            if loss.first <= seq <= loss.last:
                seq = loss.last + 1
        return seq

    def unknown(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of a range that are not known to be lost."""
        parts = []
        for loss in self.losses:
            if loss.last < first or loss.first > last:
                continue
            if first < loss.first:
                parts.append((first, loss.first - 1))
            first = loss.last + 1
        if first <= last:
            parts.append((first, last))
        return parts


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Where a stream stands.

    Attributes:
        accepted: the last sequence number given out in this epoch.
        committed: the last one that is durable.
        acked: the last one that the collector has stored.
        backlog: committed records of all epochs that wait for the collector.
        size: bytes of its segment files.
        evicted: records that a cap took, ever.
        lost: records that were lost in another way, ever.
    """

    accepted: int
    committed: int
    acked: int
    backlog: int
    size: int
    evicted: int
    lost: int


class StreamQueue:
    """The epochs of one stream, oldest first; the last one is being written.

    Attributes:
        unnoted: losses that state.db does not know yet, with their epoch.
        lost: how many records are gone, ever, by reason.
    """

    def __init__(self, stream: Stream, live: Epoch, builder: BlockBuilder) -> None:
        self.stream = stream
        self.builder = builder
        self.live = live
        self.epochs: dict[str, Epoch] = {live.name: live}
        self.unnoted: list[tuple[str, Loss]] = []
        self.lost: Counter[LossReason] = Counter()
        self._from_memory = 0

    def adopt(self, older: list[Epoch]) -> None:
        """Put the epochs of earlier runs before the live one."""
        self.epochs = {epoch.name: epoch for epoch in (*older, self.live)}

    def flush(self) -> None:
        """Make durable all that was put.

        Raises:
            StoreBusy: the disk refuses for now. What is not committed stays in memory; call again.
            FileDamaged: the segment is damaged. Likewise; the next call writes to another one.
        """
        self.builder.close()
        waiting = self.builder.closed
        while waiting:
            self.live.chain.append(waiting[:_BLOCKS_A_COMMIT])
            del waiting[:_BLOCKS_A_COMMIT]
        self.live.chain.drop_upto(self.live.durable)  # what was being written when its acknowledgement came

    @property
    def skips(self) -> bool:
        """Whether the next block to commit follows some that were delivered from memory."""
        live = self.live
        return live.durable < live.acked and live.chain.last < live.acked

    def lease(self, after: Position | None, max_bytes: int, *, from_memory: bool) -> Lease | None:
        """Give blocks to send after a place, or say what is lost there; see ``Outbox.lease``."""
        names = list(self.epochs)
        start = names.index(after.epoch) if after is not None and after.epoch in self.epochs else 0
        for name in names[start:]:
            epoch = self.epochs[name]
            seq = epoch.acked + 1
            if after is not None and after.epoch == name:
                seq = max(seq, after.seq + 1)
            if lease := self._lease(epoch, seq, max_bytes, from_memory=from_memory):
                return lease
        return None

    def _lease(self, epoch: Epoch, seq: int, max_bytes: int, *, from_memory: bool) -> Lease | None:
        wanted = epoch.sound_from(seq)
        blocks = epoch.chain.read(wanted, max_bytes)
        self.take_found(epoch)
        live = epoch is self.live
        if not blocks and live and from_memory:
            blocks = adjacent(self.builder.closed, wanted, max_bytes)
            self._from_memory = max(self._from_memory, blocks[-1].last if blocks else 0)
        end = blocks[0].first - 1 if blocks else (0 if live else epoch.chain.last)
        for first, last in epoch.unknown(wanted, end):
            self.lose(epoch, Loss(first, last, "missing"))
        lost = tuple(loss for loss in epoch.losses if not blocks or loss.last < blocks[0].first)
        declared = 0
        if not blocks:
            declared = lost[-1].last if lost else 0
            if declared < seq:
                return None
        low = min(epoch.chain.held_from(epoch.acked + 1), blocks[0].first if blocks else declared + 1)
        return Lease(epoch.name, low, blocks, live, self.stream, lost, declared)

    def ack(self, epoch: str, upto: int) -> int:
        """Take the collector's word; give how many records are newly delivered. ``durable`` lags behind."""
        entry = self.epochs.get(epoch)
        if entry is None:
            return 0
        last = entry.chain.last
        if entry is not self.live:
            upto = min(upto, last)  # a restored disk: the collector may have more of this epoch than we
        elif upto > max(last, self._from_memory):
            return 0
        if upto <= entry.acked:
            return 0
        count = sum(b - a + 1 for a, b in entry.unknown(entry.acked + 1, upto))
        entry.acked = upto
        entry.losses = [loss for loss in entry.losses if loss.last > upto]
        if entry is self.live:
            closed = self.builder.closed
            closed[:] = [block for block in closed if block.last > upto]
        return count

    def lose(self, epoch: Epoch, loss: Loss) -> None:
        """Note that records are gone: counted once, merged with what went just before for the same reason."""
        for first, last in epoch.unknown(max(loss.first, epoch.acked + 1), loss.last):
            self.lost[loss.reason] += last - first + 1
            part = Loss(first, last, loss.reason, loss.from_ns, loss.to_ns)
            before = next((x for x in epoch.losses if x.last == first - 1 and x.reason == loss.reason), None)
            if before is not None:
                epoch.losses.remove(before)
                part = Loss(before.first, last, loss.reason, before.from_ns, loss.to_ns)
            epoch.losses.append(part)
            epoch.losses.sort(key=lambda one: one.first)
            self.unnoted.append((epoch.name, part))

    def give_up(self, epoch: Epoch, first: int, last: int) -> None:
        """Lose records that are too large to be sent."""
        self.lose(epoch, Loss(first, last, "oversized"))

    def take_found(self, epoch: Epoch) -> None:
        """Take over the losses that reading has come upon."""
        found, epoch.chain.found_lost = epoch.chain.found_lost, []
        for loss in found:
            self.lose(epoch, loss)

    def shed(self) -> Block | None:
        """Give up the oldest block in memory; None when there is none."""
        if not self.builder.closed:
            return None
        block = self.builder.closed.pop(0)
        times = block.times
        when = (times.from_ns, times.to_ns) if times else (None, None)
        self.lose(self.live, Loss(block.first, block.last, "unwritten", *when))
        return block

    def oldest(self, spare: int) -> tuple[Epoch, Piece] | None:
        """The oldest file; the one being written only when it has more than ``spare`` bytes."""
        for epoch in self.epochs.values():
            if piece := epoch.chain.oldest(written=False):
                return epoch, piece
        piece = self.live.chain.oldest(written=True)
        return (self.live, piece) if piece is not None and piece.size > spare else None

    def size(self) -> int:
        """Bytes of all segment files."""
        return sum(epoch.chain.size() for epoch in self.epochs.values())

    def in_memory(self) -> int:
        """Bytes of packed blocks that are not committed."""
        return sum(len(block.data) for block in self.builder.closed)

    @property
    def uncommitted(self) -> int:
        """Records that wait for their commit, packed or not."""
        return self.builder.open + sum(block.count for block in self.builder.closed)

    def close(self) -> None:
        """Close the segment being written."""
        self.live.chain.close()

    def status(self) -> StreamStatus:
        """Where the stream stands."""
        waiting = sum(epoch.chain.count(epoch.acked + 1, epoch.chain.last) for epoch in self.epochs.values())
        return StreamStatus(
            accepted=self.builder.last,
            committed=self.live.chain.last,
            acked=self.live.acked,
            backlog=waiting,
            size=self.size(),
            evicted=self.lost["evicted"],
            lost=sum(self.lost.values()) - self.lost["evicted"],
        )
