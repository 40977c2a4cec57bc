"""What a process that measures one setting says, and what it is told: JSON packets, checked at the border."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from agent.boards.accelerators import Accelerator
from agent.processes.message import Count, Flat, Message, Text, Word, read

MOST_TIMES = 2000
"""Inferences that are timed in one turn: their times fit a packet."""
_Ms = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TrialSpec(Message):
    """What such a process is to run; it arrives in a memfd."""

    lane: dict[str, Any]
    """A ``LaneSpec`` whose backend's options are the setting."""
    reference: dict[str, Any]
    """The backend's options whose outputs a bare model's must equal; {} where nothing is compared."""
    accelerator: Accelerator | None = None


class Loaded(Message):
    """The model is loaded and has run once. Memory is 2^20 bytes."""

    type: Literal["loaded"] = "loaded"
    model: Word
    sha256: Word
    size: Count
    """Of the model file, bytes."""
    runtime: Word
    delegate: Word
    delegated: tuple[Count, Count]
    load_ms: _Ms
    first_ms: _Ms
    rss_mb: _Ms
    """What the model has added to the process."""
    process_mb: _Ms
    """The whole process, with the runtime and what else a worker loads for it."""


class Times(Message):
    """Inferences of one turn, nanoseconds each."""

    type: Literal["times"] = "times"
    ns: list[Annotated[Count, Field(ge=1)]] = Field(min_length=1, max_length=MOST_TIMES)


class Checked(Message):
    """Whether the outputs are right."""

    type: Literal["checked"] = "checked"
    goldens: Count
    """Golden answers that were compared; 0: the outputs were compared with the reference's."""
    compared: bool
    """Whether there was anything to compare with."""
    difference: Text = ""


class Fault(Flat):
    """Why the process is about to exit."""

    type: Literal["fault"] = "fault"


_Packet = Loaded | Times | Checked | Fault
FromTrial = Annotated[_Packet, Field(discriminator="type")]
_from_trial: TypeAdapter[_Packet] = TypeAdapter(FromTrial)


def parse(packet: bytes) -> _Packet:
    """Read a packet of such a process.

    Raises:
        MessageInvalid: it is not one of the messages above.
    """
    return read(_from_trial, packet, "from trial")
