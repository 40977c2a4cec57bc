"""What a worker says of its camera's health: messages beside those in ``messages.py``."""

from __future__ import annotations

from typing import Literal

from agent.message import Message, Text
from agent.pictures import Fault


class Unwell(Message):
    """The source gives frames, but its camera has a fault from here on."""

    type: Literal["unwell"] = "unwell"
    fault: Fault
    problem: Text


class Well(Message):
    """A fault of the camera is over."""

    type: Literal["well"] = "well"
    fault: Fault
