"""What a worker says of a snapshot or a clip; its bytes come with the message, in sealed memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent import memfd
from agent.errors import MessageInvalid
from agent.media import MAX_MEDIUM
from agent.message import Count, Message, Word
from agent.workers.record import Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence


class Medium(Message):
    """A snapshot or a clip. The supervisor counts and hashes the bytes itself, and names the file."""

    type: Literal["medium"] = "medium"
    kind: Literal["snapshot", "clip"]
    events: Annotated[tuple[Word, ...], Field(min_length=1, max_length=8)]
    """Names of the events that it shows."""
    frame: Count
    captured_ns: Stamp
    """Of the events' frame."""
    clip: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    """What the events call a clip."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A medium, with the memory that its bytes are in: ``fd`` is the holder's to close."""

    message: Medium
    fd: int
    size: int


def sent(message: Medium, descriptors: Sequence[int]) -> Sent:
    """Check the memory that came with a message; who calls closes it where this raises.

    Raises:
        MessageInvalid: it is not one memory of 1 byte to ``MAX_MEDIUM``, whose size and content are sealed.
    """
    if len(descriptors) != 1:
        raise MessageInvalid("read packet", "medium", f"{len(descriptors)} descriptors came with it")
    size = memfd.checked(descriptors[0], memfd.FIXED)
    if not 0 < size <= MAX_MEDIUM:
        raise MessageInvalid("read packet", "medium", f"it has {size} bytes")
    if bool(message.clip) != (message.kind == "clip"):
        raise MessageInvalid("read packet", "medium", "a clip has a name, a snapshot has none")
    return Sent(message, descriptors[0], size)


def close(media: Sequence[Sent]) -> None:
    """Close the memory of media that nobody takes."""
    for one in media:
        os.close(one.fd)
