"""What the process that runs the checks is to do, and what it says of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.processes.message import Flat, Message, Text, Word

MODULE = "agent.contracts.main"


class Orders(BaseModel):
    """Which plugin is checked; it arrives in a memfd."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    room: str
    name: str
    start: int = 0
    """How many of the checks are passed over: they were run before, in another process."""
    paths: tuple[str, ...] = ()
    """Folders with distributions that stand beside the interpreter's own."""


class Told(Message):
    """A check is over."""

    type: Literal["told"] = "told"
    check: Word
    problem: Text = ""
    """What is wrong, or ""."""


class Fault(Flat):
    """The process cannot go on."""

    type: Literal["fault"] = "fault"


Packet = Told | Fault
packets: TypeAdapter[Packet] = TypeAdapter(Annotated[Packet, Field(discriminator="type")])
