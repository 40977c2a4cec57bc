"""What an accelerator's process says to the supervisor: JSON in one packet, checked at the border."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from agent.processes.message import Message, Text, Word, read
from agent.workers.messages import Fault


class Opened(Message):
    """The library is loaded and the device is open."""

    type: Literal["opened"] = "opened"
    delegate: Word
    description: Text = ""


FromAccelerator = Opened | Fault
_from_accelerator: TypeAdapter[FromAccelerator] = TypeAdapter(
    Annotated[FromAccelerator, Field(discriminator="type")]
)


def parse(packet: bytes) -> FromAccelerator:
    """Read a packet of an accelerator's process.

    Raises:
        MessageInvalid: it is not one of the messages above.
    """
    return read(_from_accelerator, packet, "from accelerator")
