"""The seams of what stands before inference, and after it: gates and filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.types import WHOLE, Box

if TYPE_CHECKING:
    from agent.types import Frame, FrameInfo, Result


@dataclass(frozen=True, slots=True)
class Admission:
    """A gate's word for a frame that is worth an inference.

    Attributes:
        region: the part of the frame that the model should be shown.
    """

    region: Box = WHOLE


class FrameGate(Protocol):
    """Says before inference which frames are worth one. One thread asks it of each frame, in order."""

    def admit(self, frame: Frame) -> Admission | None:
        """Let a frame pass; None leaves it out, and it counts as gated.

        Raises:
            InputRejected: it cannot judge such a frame.
        """


class Filter(Protocol):
    """Works on results after their decoder, and remembers those before. One thread uses it, in order."""

    def apply(self, result: Result, frame: FrameInfo) -> Result | None:
        """Give the result that goes on: as it is, with other items, or with events added.

        Time is the frame's: CLOCK_MONOTONIC at capture. None holds the result back, with the events that it
        carries; its frame counts as filtered.
        """
