"""What a worker says of a snapshot or a clip; its bytes come with the message, in sealed memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.errors import MessageInvalid
from agent.media import MAX_MEDIUM
from agent.processes import memfd
from agent.processes.message import Count, Message, Text, Word
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


class Picture(Message):
    """A picture that was asked for."""

    type: Literal["picture"] = "picture"
    token: Count
    frame: Count
    captured_ns: Stamp


class Unpictured(Message):
    """Why there is none."""

    type: Literal["unpictured"] = "unpictured"
    token: Count
    problem: Text


@dataclass(frozen=True, slots=True)
class Pictured:
    """A picture, with the memory that its bytes are in: ``fd`` is the holder's to close."""

    message: Picture
    fd: int
    size: int


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
    size = _size(descriptors[0])
    if bool(message.clip) != (message.kind == "clip"):
        raise MessageInvalid("read packet", "medium", "a clip has a name, a snapshot has none")
    return Sent(message, descriptors[0], size)


def pictured(message: Picture, descriptors: Sequence[int]) -> Pictured:
    """As ``sent``, of a picture that was asked for."""
    if len(descriptors) != 1:
        raise MessageInvalid("read packet", "picture", f"{len(descriptors)} descriptors came with it")
    return Pictured(message, descriptors[0], _size(descriptors[0]))


def _size(descriptor: int) -> int:
    size = memfd.checked(descriptor, memfd.FIXED)
    if not 0 < size <= MAX_MEDIUM:
        raise MessageInvalid("read packet", "medium", f"it has {size} bytes")
    return size


def close(media: Sequence[Sent]) -> None:
    """Close the memory of media that nobody takes."""
    for one in media:
        os.close(one.fd)
