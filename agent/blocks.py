"""Blocks: some records of one stream, compressed together, as they stand on disk and on the wire.

A block is zlib (RFC 1950) of one JSON object::

    {"ledgers": {pipeline: ledger}, "records": [record, ...], "clock": {"boot": id, "synced": bool or null}}

``ledgers`` holds the cumulative frame ledger of each pipeline in this epoch, as of the block's last record;
``clock`` says which boot the monotonic times are of, and whether the wall times can be believed.
A record's sequence number is the block's ``first`` plus its position; zlib's Adler-32 guards the bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Stream = Literal["alert", "result", "metric"]
STREAMS: tuple[Stream, ...] = ("alert", "result", "metric")
"""What is kept and sent apart, the most important first: when the disk fills, the last one goes first."""

LossReason = Literal["evicted", "damaged", "missing", "oversized", "unwritten", "purged"]
"""Why records that had a sequence number are gone: a cap took them; their block or file was damaged; their
file vanished; no broker takes so large a record; the disk refused them until memory was full; somebody had
them deleted."""

MAX_SEQ = (1 << 53) - 1
"""The highest sequence number: JSON carries it everywhere."""
MAX_UNPACKED = 8 << 20
"""The most bytes that a block may unpack to: a peer's block is not trusted."""


@dataclass(frozen=True, slots=True)
class Position:
    """A record's place in its stream: the epoch's 16 hex digits, and the sequence number, from 1."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Times:
    """When the records of a block were made.

    Attributes:
        from_ns, to_ns: least and greatest wall time among them, ns since 1970; the clock may be wrong.
        powered_s: for how long the agent had run by then, in whole seconds over all its starts: an age that
            no step of the wall clock changes.
    """

    from_ns: int
    to_ns: int
    powered_s: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Records ``first`` to ``last`` of an epoch are gone before the collector had them, and why.

    ``from_ns`` and ``to_ns`` are the wall times of the first and the last, ns since 1970, where known.
    """

    first: int
    last: int
    reason: LossReason
    from_ns: int | None = None
    to_ns: int | None = None

    @property
    def count(self) -> int:
        """How many records."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Block:
    """``count`` records from sequence number ``first`` on, packed.

    ``times`` is the store's own note; it does not travel, since each record has its wall time.
    """

    first: int
    count: int
    data: bytes
    times: Times | None = None

    @property
    def last(self) -> int:
        """The sequence number of the block's last record."""
        return self.first + self.count - 1


@dataclass(frozen=True, slots=True)
class Lease:
    """Adjacent blocks of one epoch, handed out to be sent; they stay in the store until acknowledged.

    Without blocks it only declares that the records up to ``declared`` are lost.

    Attributes:
        epoch: 16 hex digits.
        low: nothing below it will be sent (again): it is delivered, or it is lost.
        blocks: without gaps between them; may be empty.
        live: whether the epoch is still being written.
        stream: whose sequence numbers these are.
        lost: what is gone below ``first`` and was never acknowledged, oldest first.
        declared: without blocks, the last record that is accounted for; what is below and not lost is sent
            by another lease.
    """

    epoch: str
    low: int
    blocks: tuple[Block, ...]
    live: bool
    stream: Stream = "result"
    lost: tuple[Loss, ...] = ()
    declared: int = 0

    @property
    def first(self) -> int:
        """The first sequence number; one above the last without blocks."""
        return self.blocks[0].first if self.blocks else self.declared + 1

    @property
    def last(self) -> int:
        """The last sequence number that is accounted for."""
        return self.blocks[-1].last if self.blocks else self.declared

    def replaced(self, blocks: tuple[Block, ...], lost: tuple[Loss, ...] | None = None) -> Lease:
        """The same with other blocks, of those that it covers, and other losses."""
        return replace(self, blocks=blocks, lost=self.lost if lost is None else lost)

    @property
    def size(self) -> int:
        """Bytes of the packed blocks."""
        return sum(len(block.data) for block in self.blocks)


class Content(NamedTuple):
    """What is in a block: records, the pipelines' ledgers, and what is known of the clock."""

    records: list[dict[str, Any]]
    ledgers: dict[str, dict[str, Any]]
    clock: dict[str, Any]


def pack(
    records: Sequence[Mapping[str, Any]],
    ledgers: Mapping[str, Mapping[str, Any]],
    clock: Mapping[str, Any] | None = None,
) -> bytes:
    """Pack records, ledgers and the clock's mark into a block's bytes."""
    return zlib.compress(orjson.dumps({"ledgers": ledgers, "records": records, "clock": clock or {}}), 1)


def unpack(block: Block) -> Content:
    """Give a block's content.

    Raises:
        MessageInvalid: the bytes are damaged, too large, or not what ``pack`` makes.
    """
    return parse(block, inflate(block))


def inflate(block: Block, most: int = MAX_UNPACKED) -> bytes:
    """Give a block's JSON text, of at most ``most`` bytes.

    Raises:
        MessageInvalid: the bytes are damaged, truncated, or unpack to more.
    """
    subject = f"{block.first}..{block.last}"
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(block.data, max(1, most))
    except zlib.error as error:
        raise MessageInvalid("unpack block", subject, str(error)) from error
    if not inflater.eof or inflater.unused_data:
        raise MessageInvalid("unpack block", subject, "it is truncated, too large or has a tail")
    return text


def parse(block: Block, text: bytes) -> Content:
    """Read the JSON text of ``block``. Blocks of release 1 say nothing of the clock.

    Raises:
        MessageInvalid: it is not what ``pack`` makes of ``block.count`` records.
    """
    subject = f"{block.first}..{block.last}"
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageInvalid("unpack block", subject, f"no JSON: {error}") from error
    match body:
        case {"ledgers": dict(ledgers), "records": list(records)} if len(records) == block.count:
            clock = body.get("clock", {})
            if all(isinstance(one, dict) for one in (*records, *ledgers.values(), clock)):
                return Content(records, ledgers, clock)
    raise MessageInvalid("unpack block", subject, f"not {block.count} records and their ledgers")
