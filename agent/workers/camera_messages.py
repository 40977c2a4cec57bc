"""What a worker says of its source's frames: messages beside those in ``messages.py``."""

from __future__ import annotations

from typing import Literal

from agent.pictures import Fault
from agent.processes.message import Message, Text, Word


class Unwell(Message):
    """The source gives frames, but its camera has a fault from here on."""

    type: Literal["unwell"] = "unwell"
    fault: Fault
    problem: Text


class Well(Message):
    """A fault of the camera is over."""

    type: Literal["well"] = "well"
    fault: Fault


class Refused(Message):
    """A frame of a live source could not be used, which the ledger counts: why. Not each one is told."""

    type: Literal["refused"] = "refused"
    reason: Word
    problem: Text
