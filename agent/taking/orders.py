"""What the process that takes frames is to do, and what it says of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.processes.message import Count, Flat, Message, Text
from agent.workers.spec import LaneSpec

MODULE = "agent.taking.main"
Form = Literal["png", "jpeg"]
Ending = Literal["enough", "time", "size", "stopped", "ended", "lost"]
"""Why no more frames are taken: so many were asked for, the time is over, the bound on the size, ^C, or the
source has ended or is away."""


class Orders(BaseModel):
    """What is taken; it arrives in a memfd, as a worker's orders do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lane: LaneSpec
    """The pipeline whose source it is: what it may reach, and what is hidden of each frame."""
    named: str = ""
    """The pipeline's name, where it has one."""
    pictures: Form = "png"
    """How pictures are written: `png` loses nothing."""
    quality: int = Field(default=90, ge=1, le=100)
    """Of JPEG."""
    windows: Literal["npy", "csv"] = "npy"
    """How anything else is written; `csv` is for people, and no recording."""
    skip: int = Field(default=0, ge=0, le=10_000)
    """So many frames are passed over first: a camera that has just begun may be dark."""
    frames: int = Field(default=0, ge=0)
    """How many are taken; 0 for no limit."""
    sound: bool = False
    """Whether only those count that did not fail; after twenty that did it is given up."""
    seconds: float = Field(default=0.0, ge=0, le=86_400)
    """For how long, from the first one; 0 for no limit."""
    most_bytes: int = Field(ge=1 << 16)
    """How large the recording may become."""


class At(Message):
    """It has started, and opens the source now."""

    type: Literal["at"] = "at"


class Took(Message):
    """How far it is; said at least once a read."""

    type: Literal["took"] = "took"
    frames: Count
    failed: Count
    bytes: Count


class Done(Message):
    """It is over, and what was taken is whole."""

    type: Literal["done"] = "done"
    frames: Count
    """With those that failed."""
    failed: Count
    dropped: Count
    """Frames of a live source that came while those before were not written yet."""
    bytes: Count
    seconds: Annotated[float, Field(ge=0, le=1e9)]
    """From the first frame to the last."""
    live: bool
    why: Ending
    remark: Text = ""
    problem: Text = ""
    """Why the last frame that failed did."""


class Fault(Flat):
    """It could not be done, and why."""

    type: Literal["fault"] = "fault"


Packet = At | Took | Done | Fault
packets: TypeAdapter[Packet] = TypeAdapter(Annotated[Packet, Field(discriminator="type")])
