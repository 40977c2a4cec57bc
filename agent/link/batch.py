"""Batches: some blocks of one stream in one MQTT message, signed by the device.

    1 byte    0: not signed; 1: signed
    3 bytes   length of the header, big-endian
    header    JSON: {"v": 1, "fleet", "device", "stream", "epoch", "first", "last", "low", "live", "lane",
                     "key", "lost": [[first, last, reason, from_ns, to_ns], ...],
                     "blocks": [[first, count, size, crc32], ...]}
    blocks    as they stand in the store, one after the other
    64 bytes  when signed: the signature of all bytes before it

A batch without blocks declares what is lost. A batch comes from a peer: its signature is checked before a
byte of it is parsed, and every bound before it is used.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.blocks import MAX_SEQ, Block, Lease, Loss, LossReason, Stream
from agent.errors import MessageInvalid, NotSigned
from agent.link.topics import NAME_PATTERN
from agent.trust.signing import SIGNATURE_BYTES
from agent.validation import first_problem

if TYPE_CHECKING:
    from agent.trust.signing import Signer, Verifier

VERSION = 1
KIND = "application/vnd.edge-agent.batch"
"""What a batch's signature is bound to."""
MAX_BATCH = 2 << 20
"""Bytes of the largest batch that a collector takes."""
MAX_BLOCKS = 1024
MAX_RECORDS = 8192
"""Records in one block; an agent's closes at 48 KiB of JSON."""
MAX_LOST = 64
"""Losses told in one batch; the oldest come first, and the rest with later batches."""
MAX_HEADER = 128 << 10

LaneName = Literal["alert", "live", "backlog", "metric"]
"""How a batch goes its way, the most urgent first; see ``agent.uplink.delivery``."""

_UNSIGNED, _SIGNED = b"\0", b"\1"
_PREFIX = 4

_Seq = Annotated[int, Field(ge=1, le=MAX_SEQ)]
_Last = Annotated[int, Field(ge=0, le=MAX_SEQ)]
_Name = Annotated[str, Field(pattern=NAME_PATTERN)]
_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Count = Annotated[int, Field(ge=1, le=MAX_RECORDS)]
_Size = Annotated[int, Field(ge=1, le=MAX_BATCH)]
_Crc = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
_Wall = Annotated[int, Field(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Header(BaseModel):
    """The JSON header, as a peer wrote it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Annotated[int, Field(ge=1, le=1)]
    fleet: _Name
    device: _Name
    stream: Stream
    epoch: _Hex
    first: _Seq
    last: _Last
    low: _Seq
    live: bool
    lane: LaneName = "backlog"
    key: _Hex | None
    # Strict JSON has arrays, not tuples; pydantic reads them as such.
    lost: Annotated[
        tuple[tuple[_Seq, _Seq, LossReason, _Wall | None, _Wall | None], ...], Field(max_length=MAX_LOST)
    ]
    blocks: Annotated[tuple[tuple[_Seq, _Count, _Size, _Crc], ...], Field(max_length=MAX_BLOCKS)]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch whose bounds and checksums hold.

    Attributes:
        fleet, device: who says to have sent it; true when it was verified with that device's key.
        lease: the blocks, and what is lost.
        key: the id of the key that it claims to be signed with; None when it is not signed.
        lane: which lane of the device it came by; those of the first release do not tell.
    """

    fleet: str
    device: str
    lease: Lease
    key: str | None
    lane: LaneName = "backlog"


def encode(
    fleet: str, device: str, lease: Lease, signer: Signer | None = None, *, lane: LaneName = "backlog"
) -> bytes:
    """Make the message that carries ``lease``."""
    header = orjson.dumps(
        {
            "v": VERSION,
            "fleet": fleet,
            "device": device,
            "stream": lease.stream,
            "epoch": lease.epoch,
            "first": lease.first,
            "last": lease.last,
            "low": lease.low,
            "live": lease.live,
            "lane": lane,
            "key": signer.key_id if signer else None,
            "lost": [[x.first, x.last, x.reason, x.from_ns, x.to_ns] for x in lease.lost[:MAX_LOST]],
            "blocks": [[b.first, b.count, len(b.data), zlib.crc32(b.data)] for b in lease.blocks],
        }
    )
    mark = _SIGNED if signer else _UNSIGNED
    body = b"".join(
        [mark, len(header).to_bytes(_PREFIX - 1, "big"), header, *(block.data for block in lease.blocks)]
    )
    return body + signer.sign(KIND, body) if signer else body


def decode(payload: bytes, verifier: Verifier | None, *, max_bytes: int = MAX_BATCH) -> Batch:
    """Read a batch.

    Args:
        payload: the message.
        verifier: the sender's key; None takes it unproven, signed or not.
        max_bytes: the most bytes to look at.

    Raises:
        MessageInvalid: it is too large, not signed with that key, truncated, damaged, or its parts
            contradict each other.
    """
    if len(payload) > max_bytes:
        raise _invalid(f"{len(payload)} bytes, and {max_bytes} is the most")
    mark, end = payload[:1], len(payload)
    if mark == _SIGNED:
        end -= SIGNATURE_BYTES
    elif mark != _UNSIGNED:
        raise _invalid("it is no batch")
    if end < _PREFIX:
        raise _invalid("it is truncated, or no batch")
    if verifier is not None:
        if mark != _SIGNED:
            hint = "Give its device keys (edgectl init DIR --device ID), or collect with --unsigned"
            raise NotSigned("verify", "batch", "it is not signed", hint)
        verifier.verify(KIND, payload[:end], payload[end:])
    return _parse(payload, end, signed=mark == _SIGNED)


def _parse(payload: bytes, end: int, *, signed: bool) -> Batch:
    body = _PREFIX + int.from_bytes(payload[1:_PREFIX], "big")
    if body > min(_PREFIX + MAX_HEADER, end):
        raise _invalid("it is truncated, or no batch")
    try:
        header = _Header.model_validate_json(payload[_PREFIX:body])
    except ValidationError as error:
        raise _invalid(f"header {first_problem(error)}") from error
    if signed != (header.key is not None):
        raise _invalid("the header and the signature contradict each other")
    lease = Lease(
        header.epoch,
        header.low,
        _cut(payload, body, end, header),
        header.live,
        stream=header.stream,
        lost=tuple(Loss(*one) for one in header.lost),
        declared=0 if header.blocks else header.last,
    )
    if (lease.first, lease.last) != (header.first, header.last) or not lease.low <= lease.first:
        raise _invalid("first, last and low contradict the blocks")
    _check_losses(lease)
    return Batch(header.fleet, header.device, lease, header.key, header.lane)


def _check_losses(lease: Lease) -> None:
    """Losses are in order, and lie below the blocks."""
    before = 0
    for loss in lease.lost:
        if not before < loss.first <= loss.last < lease.first:
            raise _invalid("the lost ranges are not in order, or not below the blocks")
        before = loss.last


def _cut(payload: bytes, at: int, end: int, header: _Header) -> tuple[Block, ...]:
    """Cut the blocks out of ``payload`` from ``at`` to ``end``; they must fill it exactly."""
    if sum(size for _, _, size, _ in header.blocks) != end - at:
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
