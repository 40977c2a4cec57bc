"""What a capture process says to the supervisor: JSON in one packet, checked at the border."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from agent.processes.message import Message, Text, read
from agent.workers.messages import Fault, Lost, Opened


class Over(Message):
    """The source has given its last frame."""

    type: Literal["ended"] = "ended"
    remark: Text = ""


FromCapture = Opened | Lost | Over | Fault
_from_capture: TypeAdapter[FromCapture] = TypeAdapter(Annotated[FromCapture, Field(discriminator="type")])


def parse(packet: bytes) -> FromCapture:
    """Read a packet of a capture process.

    Raises:
        MessageInvalid: it is not one of the messages above.
    """
    return read(_from_capture, packet, "from capture")
