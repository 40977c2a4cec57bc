"""Acknowledgements: what the collector has stored of one device, as a retained message that it has signed.

The message is a DSSE envelope (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md) around

    {"v": 1, "fleet", "device", "again", "streams": {stream: {epoch: {"upto": n, "have": [[a, b], ...]}}}}

Everything up to ``upto`` is stored or was declared as lost; ``have`` are stored ranges beyond the first gap.
``again`` asks for what is on its way and not listed: the collector has (re)connected, and what the broker
held for it may be gone. The signature is checked before the payload is parsed.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.blocks import MAX_SEQ
from agent.errors import MessageInvalid
from agent.link.topics import NAME_PATTERN
from agent.trust import dsse
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.trust.signing import Signer, Verifier

KIND = "application/vnd.edge-agent.ack+json"
"""The payload's type, which the signature is bound to."""
MAX_ACK = 256 << 10
"""Bytes of the largest acknowledgement that a device takes."""
MAX_EPOCHS = 128
"""Epochs listed of one stream."""
MAX_RANGES = 64
"""Ranges listed of one epoch."""
MAX_STREAMS = 8
_WHAT = "acknowledgement"

_Count = Annotated[int, Field(ge=0, le=MAX_SEQ)]
_Epoch = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Name = Annotated[str, Field(pattern=NAME_PATTERN)]


Extent = tuple[int, "Sequence[tuple[int, int]]"]
"""What is stored of one epoch: all up to the first, and the ranges (inclusive) beyond it."""


class Entry(BaseModel):
    """What is stored of one epoch, as it stands in the message; see ``Extent``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    upto: _Count
    have: Annotated[tuple[tuple[_Count, _Count], ...], Field(max_length=MAX_RANGES)] = ()


class Ack(BaseModel):
    """An acknowledgement, as it stands in the message."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Annotated[int, Field(ge=1, le=1)]
    fleet: _Name
    device: _Name
    again: bool = False
    streams: Annotated[
        dict[_Name, Annotated[dict[_Epoch, Entry], Field(max_length=MAX_EPOCHS)]],
        Field(max_length=MAX_STREAMS),
    ]


def encode(
    fleet: str,
    device: str,
    streams: Mapping[str, Mapping[str, Extent]],
    *,
    again: bool = False,
    signer: Signer | None = None,
) -> bytes:
    """Make the message. Of many epochs or ranges the first MAX_EPOCHS and MAX_RANGES are listed."""
    document = orjson.dumps(
        {
            "v": 1,
            "fleet": fleet,
            "device": device,
            "again": again,
            "streams": {
                stream: {
                    epoch: {"upto": upto, "have": [list(span) for span in have[:MAX_RANGES]]}
                    for epoch, (upto, have) in islice(epochs.items(), MAX_EPOCHS)
                }
                for stream, epochs in islice(streams.items(), MAX_STREAMS)
            },
        }
    )
    return dsse.seal(KIND, document, *([signer] if signer else []))


def decode(payload: bytes, verifier: Verifier | None) -> Ack:
    """Read an acknowledgement.

    Args:
        payload: the message.
        verifier: the collector's key; None takes the message unproven, signed or not.

    Raises:
        MessageInvalid: it is too large, not signed with that key, no such message, or its ranges are not in
            order.
    """
    keys = None if verifier is None else [verifier]
    document = dsse.unseal(payload, KIND, keys, what=_WHAT, most=MAX_ACK)
    try:
        ack = Ack.model_validate_json(document)
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
    return MessageInvalid("read", _WHAT, problem)
