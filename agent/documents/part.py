"""Parts: a file that a device sends beside an outcome, cut so that any broker takes it; signed by the device.

3 bytes   length of the header, big-endian
header    JSON: {"v": 1, "fleet", "device", "command", "file", "n", "of", "sha256", "gone"}
bytes     part ``n`` of ``of``, from 0; ``sha256`` is the whole file's; none of a file that is ``gone``
64 bytes  the signature of all bytes before it; none where nothing is signed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
from pydantic import Field

from agent.documents._device import OfDevice
from agent.documents.base import read
from agent.documents.command import Id
from agent.errors import MessageInvalid, NotSigned
from agent.manifest import Sha256
from agent.processes.message import Count
from agent.trust.signing import SIGNATURE_BYTES

if TYPE_CHECKING:
    from agent.trust.signing import Signer, Verifier

KIND = "application/vnd.edge-agent.part"
PART_BYTES = 96 << 10
"""Bytes of a file in one part: with header and topic it fits AWS IoT's 128 KB."""
MAX_FILE = 64 << 20
"""Bytes of the largest file that is sent so."""
MAX_BYTES = PART_BYTES + (2 << 10)
_PREFIX = 3
_WHAT = "part of a file"


class Header(OfDevice):
    """What a part is a part of."""

    command: Id
    file: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,100}$")]
    n: Count
    of: Annotated[Count, Field(ge=1, le=-(-MAX_FILE // PART_BYTES))]
    sha256: Sha256
    gone: bool = False
    """The device does not have the file any more: no part of it will come."""


def parts_of(size: int) -> int:
    """Give how many parts a file of so many bytes has; an empty one has one."""
    return max(1, -(-size // PART_BYTES))


def encode(header: Header, body: bytes, signer: Signer | None) -> bytes:
    """Make the message."""
    head = orjson.dumps(header.model_dump())
    message = len(head).to_bytes(_PREFIX, "big") + head + body
    return message + signer.sign(KIND, message) if signer else message


def decode(payload: bytes, verifier: Verifier | None, *, fleet: str, device: str) -> tuple[Header, bytes]:
    """Read the message.

    Raises:
        NotSigned: the device's key has not signed it.
        WrongSender: it is another device's.
        MessageInvalid: it is none.
    """
    if len(payload) > MAX_BYTES:
        raise MessageInvalid("read", _WHAT, f"{len(payload)} bytes, and {MAX_BYTES} is the most")
    if verifier is not None:
        if len(payload) <= SIGNATURE_BYTES + _PREFIX:
            raise NotSigned("verify", _WHAT, "it is not signed")
        payload, signature = payload[:-SIGNATURE_BYTES], payload[-SIGNATURE_BYTES:]
        verifier.verify(KIND, payload, signature)
    size = int.from_bytes(payload[:_PREFIX], "big")
    head, body = payload[_PREFIX : _PREFIX + size], payload[_PREFIX + size :]
    found = read(Header, head, _WHAT)
    found.check_sender(_WHAT, fleet, device)
    if found.n >= found.of or len(body) > PART_BYTES:
        raise MessageInvalid("read", _WHAT, f"part {found.n} of {found.of} with {len(body)} bytes")
    return found, body
