"""A store in memory with the seams of the real one, and a collector that keeps a plain set."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from agent.blocks import Block, Lease, pack, unpack
from agent.link import ack, batch

if TYPE_CHECKING:
    from agent.blocks import Position, Stream


class MemoryStore:
    """Blocks of some epochs; the last epoch is live. ``answer`` gives what ``Delivery.on_leased`` takes.

    Attributes:
        wanted: leases that were asked for and not answered yet.
        acked: by epoch, what was acknowledged.
    """

    def __init__(self) -> None:
        self.blocks: dict[str, list[Block]] = {}
        self.acked: dict[str, int] = {}
        self.wanted: list[tuple[Position | None, int]] = []

    def begin(self) -> str:
        """Begin the next epoch; give its name."""
        epoch = f"{len(self.blocks) + 1:016x}"
        self.blocks[epoch] = []
        self.acked[epoch] = 0
        return epoch

    def commit(self, count: int, size: int = 0) -> None:
        """Add a block of ``count`` records to the live epoch, of at least ``size`` bytes."""
        epoch = list(self.blocks)[-1]
        last = self.blocks[epoch][-1].last if self.blocks[epoch] else 0
        records: list[dict[str, Any]] = [{"n": last + 1 + at} for at in range(count)]
        records[0]["noise"] = Random(last).randbytes(size).hex()  # two digits a byte, and hard to compress
        self.blocks[epoch].append(Block(last + 1, count, pack(records, {})))

    def everything(self) -> dict[tuple[str, int], int]:
        """Every block ever committed: its epoch and first record, and how many there are."""
        return {(epoch, b.first): b.count for epoch, blocks in self.blocks.items() for b in blocks}

    def lease(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        del stream, token
        self.wanted.append((after, max_bytes))

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        del stream
        if epoch in self.blocks and self.blocks[epoch] and upto <= self.blocks[epoch][-1].last:
            self.acked[epoch] = max(self.acked[epoch], upto)

    def answer(self) -> Lease | None:
        """Serve the oldest request."""
        after, max_bytes = self.wanted.pop(0)
        names = list(self.blocks)
        start = names.index(after.epoch) if after else 0
        for name in names[start:]:
            done = max(self.acked[name], after.seq if after and after.epoch == name else 0)
            blocks = [block for block in self.blocks[name] if block.first > done]
            while len(blocks) > 1 and sum(len(block.data) for block in blocks) > max_bytes:
                blocks.pop()
            if blocks:
                return Lease(name, self.acked[name] + 1, tuple(blocks), live=name == names[-1])
        return None


@dataclass
class MemoryCollector:
    """What has arrived, and how often.

    Attributes:
        stored: blocks by epoch and first record, with their count.
        duplicates: blocks that had been stored before.
    """

    device: str = "pi-17"
    stored: dict[tuple[str, int], int] = field(default_factory=dict)
    duplicates: int = 0

    def take(self, payload: bytes) -> None:
        """Store a batch."""
        lease = batch.decode(payload, None).lease
        for block in lease.blocks:
            records = unpack(block).records
            assert [record["n"] for record in records] == list(range(block.first, block.last + 1))
            self.duplicates += (lease.epoch, block.first) in self.stored
            self.stored[lease.epoch, block.first] = block.count

    def document(self, *, again: bool = False) -> bytes:
        """The acknowledgement of all of it."""
        upto: dict[str, int] = {}
        for (epoch, first), count in sorted(self.stored.items()):
            if first == upto.setdefault(epoch, 0) + 1:
                upto[epoch] += count
        return ack.encode(self.device, {"result": {e: (n, ()) for e, n in upto.items()}}, again=again)
