"""Watches a camera that gives frames for faults of its pictures, each with a beginning and an end.

A fault begins, and ends, after so many frames and seconds in a row. A frame that is black, or that shows a
freeze or a block that has begun, has no answer: it fails, for that reason. The others are told only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.errors import InputRejected
from agent.imaging.rasters import hidden, picture
from agent.pictures import FAULTS
from agent.pipeline._health_marks import look, shrink
from agent.pipeline._health_view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.pictures import Fault, Health, Region
    from agent.types import Array, Frame

_PROBLEMS: Mapping[Fault, str] = {
    "frozen": "the picture does not change at all",
    "black": "the picture is black",
    "overexposed": "most of the picture is white",
    "blurred": "the picture has no sharp edge",
    "blocked": "something is before the lens: hardly an edge is left",
    "moved": "the camera looks elsewhere than it did",
}
_HINTS: Mapping[Fault, str] = {
    "frozen": "Restart the camera",
    "black": "Take the cover off, or give it light",
    "overexposed": "Look at its exposure, and at what shines into it",
    "blurred": "Clean the lens, and focus it",
    "blocked": "Clear the view",
    "moved": "Set it right, or restart the pipeline to have the new view learnt",
}
_USELESS: frozenset[Fault] = frozenset({"frozen", "black", "blocked"})
"""With these a frame does not show what is there."""
_NS = 1e9
_RIM = np.ones((5, 5), np.uint8)


class Unwell(InputRejected):
    """A frame of a camera that is not well; ``reason`` is the fault that it is counted under."""

    def __init__(self, fault: Fault, origin: str) -> None:
        super().__init__("look at", origin or "frame", _PROBLEMS[fault], _HINTS[fault])
        self.reason: str = fault


@dataclass(slots=True)
class _Spell:
    """Whether a fault is there, with what speaks against that since when."""

    there: bool = False
    count: int = 0
    since_ns: int = 0

    def take(self, now_ns: int, *, shows: bool, frames: int, seconds: float) -> bool:
        """Take in one frame; say whether the fault begins or ends with it."""
        if shows is self.there:
            self.count = 0
            return False
        if self.count == 0:
            self.since_ns = now_ns
        self.count += 1
        if self.count < frames or now_ns - self.since_ns < seconds * _NS:
            return False
        self.there, self.count = shows, 0
        return True


class Teller:
    """Says what begins and ends: ``say`` takes messages for the supervisor."""

    def __init__(self, say: Callable[[Mapping[str, object]], None]) -> None:
        self._say = say

    def __call__(self, fault: Fault, *, begins: bool) -> None:
        """Say it."""
        if begins:
            problem = f"{_PROBLEMS[fault]}. {_HINTS[fault]}"
            self._say({"type": "unwell", "fault": fault, "problem": problem})
        else:
            self._say({"type": "well", "fault": fault})


class Watch:
    """Looks at each frame of one camera. One thread at a time may use it.

    Args:
        health: what is looked for.
        tell: hears of each fault that begins or ends.
        regions: what is hidden in the frames: nothing is judged by that.
    """

    def __init__(self, health: Health, tell: Callable[..., None], regions: Sequence[Region] = ()) -> None:
        self._health = health
        self._tell = tell
        self._regions = regions
        self._view = View(health.learn_s, health.moved)
        self._spells = {fault: _Spell() for fault in FAULTS if fault in health.faults}
        self._last: Array | None = None
        self._last_ns = 0
        self._shown: Array | None = None

    def __call__(self, frame: Frame) -> Frame:
        """Give the frame as it is, when the model may have it.

        Raises:
            Unwell: it shows a fault with which no answer can be right.
            InputRejected: it is no picture.
        """
        data = picture(frame, "look at", "health")
        shown = self._shows(shrink(data), frame.captured_ns)
        for fault, spell in self._spells.items():
            seconds = self._health.frozen_s if fault == "frozen" and not spell.there else self._health.seconds
            if spell.take(
                frame.captured_ns, shows=fault in shown, frames=self._health.frames, seconds=seconds
            ):
                self._tell(fault, begins=spell.there)
        if not self._health.infer:
            for fault in FAULTS:
                if fault in _USELESS & shown and (fault == "black" or self._spells[fault].there):
                    raise Unwell(fault, frame.origin)
        return frame

    def _shows(self, gray: Array, now_ns: int) -> set[Fault]:
        """Give which of the faults that are looked for this picture shows."""
        since_s = (now_ns - self._last_ns) / _NS
        same = self._last is not None and np.array_equal(self._last, gray)
        self._last, self._last_ns = gray, now_ns
        marks = look(gray, self._health, self._judged(gray.shape))
        found: dict[Fault, bool] = {
            "frozen": same,
            "black": marks.black,
            "overexposed": marks.overexposed,
            "blurred": marks.blurred,
            "blocked": marks.blocked,
        }
        if "moved" in self._spells and not any(found.values()):
            found["moved"] = self._view.moves(marks.edges, since_s)
        return {fault for fault, there in found.items() if there and fault in self._spells}

    def _judged(self, shape: tuple[int, ...]) -> Array | None:
        """Give which pixels count; None for all. The rim of what is hidden is an edge of our own."""
        if self._regions and (self._shown is None or self._shown.shape != shape):
            mask = hidden(self._regions, *shape[:2]).astype(np.uint8)
            self._shown = cv2.dilate(mask, _RIM) == 0
        return self._shown
