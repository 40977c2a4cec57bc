"""A collector that keeps plain sets."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from agent.blocks import unpack
from agent.link import ack, batch

if TYPE_CHECKING:
    from agent.blocks import Stream
    from agent.link.ack import Extent

Place = tuple["Stream", str]


@dataclass
class MemoryCollector:
    """What has arrived, how often, and what was declared as lost.

    Attributes:
        stored: records by stream, epoch and number.
        lost: likewise, declared.
        low: nothing below will come, by stream and epoch.
        ever: all that was ever stored or declared, by this database or by one that it was restored over.
        duplicates: records that had been stored before.
    """

    device: str = "pi-17"
    stored: set[tuple[Stream, str, int]] = field(default_factory=set)
    lost: set[tuple[Stream, str, int]] = field(default_factory=set)
    low: dict[Place, int] = field(default_factory=dict)
    ever: set[tuple[Stream, str, int]] = field(default_factory=set)
    duplicates: int = 0

    def known(self) -> set[tuple[Stream, str, int]]:
        """What is stored, was declared as lost, or was acknowledged before this database was restored."""
        elsewhere = {(*place, seq) for place, low in self.low.items() for seq in range(1, low)}
        return self.stored | self.lost | elsewhere

    def restore(self, backup: MemoryCollector) -> None:
        """Go back to an old copy."""
        old = deepcopy(backup)
        self.stored, self.lost, self.low = old.stored, old.lost, old.low

    def take(self, payload: bytes) -> None:
        """Store a batch."""
        lease = batch.decode(payload, None).lease
        place = (lease.stream, lease.epoch)
        self.low[place] = max(lease.low, self.low.get(place, 1))
        for loss in lease.lost:
            self.lost |= {(*place, seq) for seq in range(loss.first, loss.last + 1)}
        for block in lease.blocks:
            numbers = [record["n"] for record in unpack(block).records]
            assert numbers == list(range(block.first, block.last + 1))
            came = {(*place, seq) for seq in numbers}
            self.duplicates += len(came & self.stored)
            self.stored |= came
        self.ever |= self.stored | self.lost

    def document(self, *, again: bool = False) -> bytes:
        """The acknowledgement of all of it."""
        streams: dict[str, dict[str, Extent]] = {}
        for place in self.low:
            streams.setdefault(place[0], {})[place[1]] = self._extent(place)
        return ack.encode("demo", self.device, streams, again=again)

    def _extent(self, place: Place) -> Extent:
        settled = sorted(seq for *where, seq in self.stored | self.lost if tuple(where) == place)
        upto = self.low[place] - 1
        have = []
        for _, run in groupby(enumerate(settled), lambda one: one[1] - one[0]):
            numbers = [seq for _, seq in run]
            if numbers[0] <= upto + 1:
                upto = max(upto, numbers[-1])
            else:
                have.append((numbers[0], numbers[-1]))
        return upto, have
