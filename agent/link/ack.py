"""Acknowledgements: what the collector has stored of one device, as a retained message.

    {"v": 1, "device", "again", "sig", "streams": {stream: {epoch: {"upto": n, "have": [[a, b], ...]}}}}

Everything up to ``upto`` is stored or was declared as dropped; ``have`` are stored ranges beyond the first
gap. ``again`` asks for what is on its way and not listed: the collector has (re)connected, and what the
broker held for it may be gone. ``sig`` is null in this version.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import MessageInvalid
from agent.link.topics import NAME_PATTERN
from agent.link.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ACK = 256 << 10
"""Bytes of the largest acknowledgement that a device takes."""
MAX_EPOCHS = 128
"""Epochs listed of one stream."""
MAX_RANGES = 64
"""Ranges listed of one epoch."""
MAX_STREAMS = 8

_Count = Annotated[int, Field(ge=0, le=(1 << 53) - 1)]
_Epoch = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Name = Annotated[str, Field(pattern=NAME_PATTERN)]


Extent = tuple[int, "Sequence[tuple[int, int]]"]
"""What is stored of one epoch: all up to the first, and the ranges (inclusive) beyond it."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    upto: _Count
    have: Annotated[tuple[tuple[_Count, _Count], ...], Field(max_length=MAX_RANGES)] = ()


class Ack(BaseModel):
    """An acknowledgement, as it stands in the message."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Annotated[int, Field(ge=1, le=1)]
    device: _Name
    again: bool = False
    sig: None = None
    streams: Annotated[
        dict[_Name, Annotated[dict[_Epoch, _Entry], Field(max_length=MAX_EPOCHS)]],
        Field(max_length=MAX_STREAMS),
    ]


def encode(device: str, streams: Mapping[str, Mapping[str, Extent]], *, again: bool = False) -> bytes:
    """Make the message. Of many epochs or ranges the first MAX_EPOCHS and MAX_RANGES are listed."""
    return orjson.dumps(
        {
            "v": 1,
            "device": device,
            "again": again,
            "sig": None,
            "streams": {
                stream: {
                    epoch: {"upto": upto, "have": [list(span) for span in have[:MAX_RANGES]]}
                    for epoch, (upto, have) in islice(epochs.items(), MAX_EPOCHS)
                }
                for stream, epochs in islice(streams.items(), MAX_STREAMS)
            },
        }
    )


def decode(payload: bytes) -> Ack:
    """Read an acknowledgement.

    Raises:
        MessageInvalid: it is too large, no such message, or its ranges are not in order.
    """
    if len(payload) > MAX_ACK:
        raise _invalid(f"{len(payload)} bytes, and {MAX_ACK} is the most")
    try:
        ack = Ack.model_validate_json(payload)
    except ValidationError as error:
        raise _invalid(first_problem(error)) from error
    for epochs in ack.streams.values():
        for epoch, stored in epochs.items():
            end = stored.upto
            for a, b in stored.have:
                if not end < a <= b:
                    raise _invalid(f"the ranges of epoch {epoch} are not in order")
                end = b
    return ack


def _invalid(problem: str) -> MessageInvalid:
    return MessageInvalid("read", "acknowledgement", problem)
