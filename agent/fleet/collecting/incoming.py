"""A batch on its way into the collector's database, and what became of it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.fleet.collecting.ranges import Watermark

if TYPE_CHECKING:
    from agent.blocks import Lease
    from agent.errors import MessageInvalid
    from agent.fleet.collecting.ranges import Place

_NOTHING = Watermark(0, ())


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch as it came from a device.

    Attributes:
        device: who sent it.
        lease: what it carries.
        fresh: people may be waiting for it: it was made just now, or is an alert.
    """

    device: str
    lease: Lease
    fresh: bool = False

    @property
    def place(self) -> Place:
        """What its sequence numbers count in."""
        return self.device, self.lease.stream, self.lease.epoch

    @property
    def count(self) -> int:
        """How many records."""
        return sum(block.count for block in self.lease.blocks)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one batch.

    Attributes:
        batch: the batch.
        new: records that were stored now.
        duplicate: records that were there already.
        watermark: what of the epoch is stored, this batch included.
        rows: new records that are rows already; the others wait for ``unpack``.
        bad: why blocks did not become rows.
    """

    batch: Incoming
    new: int = 0
    duplicate: int = 0
    watermark: Watermark = _NOTHING
    rows: int = 0
    bad: tuple[MessageInvalid, ...] = ()
