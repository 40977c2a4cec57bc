"""Batches: some blocks of one stream in one MQTT message.

    4 bytes   length of the header, big-endian
    header    JSON: {"v": 1, "device", "stream", "epoch", "first", "last", "low", "live", "sig",
                     "blocks": [[first, count, size, crc32], ...]}
    blocks    as they stand in the store, one after the other

``sig`` is null in this version. A batch comes from a peer: every bound is checked before it is used.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.blocks import Block, Lease
from agent.errors import MessageInvalid
from agent.link.topics import NAME_PATTERN
from agent.link.validation import first_problem

VERSION = 1
MAX_BATCH = 2 << 20
"""Bytes of the largest batch that a collector takes."""
MAX_BLOCKS = 1024
MAX_RECORDS = 65_536
"""Records in one block."""
MAX_HEADER = 128 << 10
MAX_SEQ = (1 << 53) - 1
"""The highest sequence number: JSON carries it everywhere."""

_Seq = Annotated[int, Field(ge=1, le=MAX_SEQ)]
_Name = Annotated[str, Field(pattern=NAME_PATTERN)]
_Epoch = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Count = Annotated[int, Field(ge=1, le=MAX_RECORDS)]
_Size = Annotated[int, Field(ge=1, le=MAX_BATCH)]
_Crc = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]


class _Header(BaseModel):
    """The JSON header, as a peer wrote it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Annotated[int, Field(ge=1, le=1)]
    device: _Name
    stream: _Name
    epoch: _Epoch
    first: _Seq
    last: _Seq
    low: _Seq
    live: bool
    sig: None = None
    # Strict JSON has arrays, not tuples; pydantic reads them as such.
    blocks: Annotated[
        tuple[tuple[_Seq, _Count, _Size, _Crc], ...], Field(min_length=1, max_length=MAX_BLOCKS)
    ]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch whose bounds and checksums hold; who sent it is only claimed."""

    device: str
    stream: str
    lease: Lease


def encode(device: str, stream: str, lease: Lease) -> bytes:
    """Make the message that carries ``lease``."""
    header = orjson.dumps(
        {
            "v": VERSION,
            "device": device,
            "stream": stream,
            "epoch": lease.epoch,
            "first": lease.first,
            "last": lease.last,
            "low": lease.low,
            "live": lease.live,
            "sig": None,
            "blocks": [[b.first, b.count, len(b.data), zlib.crc32(b.data)] for b in lease.blocks],
        }
    )
    return b"".join([len(header).to_bytes(4, "big"), header, *(block.data for block in lease.blocks)])


def decode(payload: bytes, *, max_bytes: int = MAX_BATCH) -> Batch:
    """Read a batch.

    Raises:
        MessageInvalid: it is too large, truncated, damaged, or its parts contradict each other.
    """
    if len(payload) > max_bytes:
        raise _invalid(f"{len(payload)} bytes, and {max_bytes} is the most")
    size = int.from_bytes(payload[:4], "big")
    if len(payload) < 4 or size > min(MAX_HEADER, len(payload) - 4):
        raise _invalid("it is truncated, or no batch")
    body = 4 + size
    try:
        header = _Header.model_validate_json(payload[4:body])
    except ValidationError as error:
        raise _invalid(f"header {first_problem(error)}") from error
    lease = Lease(header.epoch, header.low, _cut(payload, body, header), header.live)
    if (lease.first, lease.last) != (header.first, header.last) or not lease.low <= lease.first:
        raise _invalid("first, last and low contradict the blocks")
    return Batch(header.device, header.stream, lease)


def _cut(payload: bytes, at: int, header: _Header) -> tuple[Block, ...]:
    """Cut the blocks out of ``payload`` from byte ``at`` on; they must fill it exactly."""
    if sum(size for _, _, size, _ in header.blocks) != len(payload) - at:
        raise _invalid("the blocks' sizes do not add up to the message")
    blocks = []
    expected = header.first
    for first, count, size, crc in header.blocks:
        data = payload[at : at + size]
        if first != expected:
            raise _invalid(f"block {first} is not the next one")
        if zlib.crc32(data) != crc:
            raise _invalid(f"block {first} is damaged")
        blocks.append(Block(first, count, data))
        at += size
        expected = first + count
    return tuple(blocks)


def _invalid(problem: str) -> MessageInvalid:
    return MessageInvalid("read", "batch", problem)
