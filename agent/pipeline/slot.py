"""Where captured frames wait for the model, and where every one of them is counted.

Capture thread: ``acquire`` a buffer, read a frame, ``begin``, preprocess into the buffer, ``publish``.
Infer thread: ``take``, invoke, ``settle``. A live source keeps only the newest frame and counts what it
overwrites; a recording waits for room. Buffers are preallocated and go round; no frame is copied.
Each frame gets the engine that is current when it begins, and keeps it: ``swap`` touches no frame under way.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.ledger import Ledger

if TYPE_CHECKING:
    from agent.errors import AgentError
    from agent.pipeline.engine import Engine
    from agent.types import Array, FrameInfo

BUFFERS = 4
"""One is written, up to two wait, one is inferred."""
_WAITING_RECORDED = _WAITING_PATIENT = 2


@dataclass(frozen=True, slots=True)
class Item:
    """A frame on its way: its buffer's index and its engine, or the error that failed it and the reason.

    ``began_ns`` and ``ready_ns`` are when its preprocessing began and ended, CLOCK_MONOTONIC in nanoseconds.
    """

    index: int
    info: FrameInfo
    engine: Engine
    error: AgentError | None = None
    reason: str = ""
    pixels: Array | None = None
    """The picture itself, only where somebody wants to draw on it."""
    opening: int = 0
    """Which opening of the source it is from, from 1: what a model remembers does not outlive it."""
    began_ns: int = 0
    ready_ns: int = 0


class Slot:
    """The place between the capture thread and the infer thread of one pipeline.

    Args:
        engine: what the first frames are for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._free = list(range(BUFFERS))
        self._waiting: deque[Item] = deque()
        self._preparing = 0
        self._inferring = 0
        self._ended = False
        self._worked = False
        self._rests = 0
        self._patient_until = 0.0
        self._captured = 0
        self._inferred = 0
        self._filtered: Counter[str] = Counter()
        self._gated = 0
        self._dropped: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self.live = True

    def acquire(self) -> int:
        """Give a free buffer's index; for a recording, wait until there is one."""
        with self._changed:
            while not self._free or (not self.live and len(self._waiting) >= _WAITING_RECORDED):
                self._changed.wait()
            return self._free.pop()

    def give_back(self, index: int) -> None:
        """Free a buffer that no frame came for."""
        with self._changed:
            self._free.append(index)

    def begin(self, missed: int = 0) -> tuple[int, Engine]:
        """Count a frame as captured; give how many there are now, and the engine that this one is for.

        So many before it were ``missed``: they were captured, too, and dropped.
        """
        with self._changed:
            self._captured += 1 + missed
            if missed:
                self._dropped["missed"] += missed
            self._preparing = 1
            return self._captured, self._engine

    def miss(self, count: int) -> int:
        """Count frames that were captured and never given here as dropped; give how many there are now."""
        with self._changed:
            self._captured += count
            self._dropped["missed"] += count
            return self._captured

    def swap(self, engine: Engine) -> None:
        """Give frames that begin from now on another engine."""
        with self._changed:
            self._engine = engine
            self._changed.notify_all()

    def be_patient(self, seconds: float) -> None:
        """Let one more of a live source's frames wait, for so long from now on: a model is being loaded."""
        with self._changed:
            self._patient_until = time.monotonic() + seconds

    @property
    def engine(self) -> Engine:
        """The engine of the frames that begin now."""
        with self._changed:
            return self._engine

    @property
    def next_engine(self) -> Engine | None:
        """The engine of the frame to be taken next; None while frames are under way: they say it."""
        with self._changed:
            return None if self._waiting or self._preparing else self._engine

    def publish(self, item: Item) -> None:
        """Hand over a frame that is ready for the model, or one that failed before it got there."""
        with self._changed:
            self._preparing = 0
            room = _WAITING_PATIENT if time.monotonic() < self._patient_until else 1
            while self.live and len(self._waiting) >= room:
                self._free.append(self._waiting.popleft().index)
                self._dropped["overwritten"] += 1
            self._waiting.append(item)
            self._changed.notify_all()

    def fail(self, index: int, reason: str) -> None:
        """Count the frame that was begun as failed, and free its buffer."""
        with self._changed:
            self._preparing = 0
            self._failed[reason] += 1
            self._free.append(index)

    def gate(self) -> None:
        """Count the frame that was begun as gated; its buffer is still the capture thread's."""
        with self._changed:
            self._preparing = 0
            self._gated += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no frame will follow."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Item | None:
        """Give the next frame, or None when none came in time or none will."""
        with self._changed:
            if not self._waiting and not self._ended:
                self._rest()
                self._changed.wait(timeout_s)
            if not self._waiting:
                return None
            self._worked = True
            self._inferring = 1
            item = self._waiting.popleft()
            self._changed.notify_all()
            return item

    def _rest(self) -> None:
        if self._worked:
            self._worked = False
            self._rests += 1
            self._changed.notify_all()

    def lull(self, timeout_s: float) -> bool:
        """Wait until the infer thread has just done all that there was: now a pause costs frames least.

        Returns:
            Whether it came to that in time.
        """
        with self._changed:
            before = self._rests
            return self._changed.wait_for(lambda: self._rests != before, timeout_s)

    def settle(self, item: Item, failed: str = "", *, filtered: str = "") -> None:
        """Count the frame that was taken as inferred, as failed for a reason, or as held back by a filter.

        Its buffer is free then.
        """
        with self._changed:
            self._inferring = 0
            if failed:
                self._failed[failed] += 1
            elif filtered:
                self._filtered[filtered] += 1
            else:
                self._inferred += 1
            self._free.append(item.index)
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether no frame waits for the model."""
        with self._changed:
            return not self._waiting

    @property
    def over(self) -> bool:
        """Whether nothing waits and nothing will come."""
        with self._changed:
            return self._ended and not self._waiting

    def ledger(self) -> Ledger:
        """The accounts, at one moment."""
        with self._changed:
            return Ledger(
                captured=self._captured,
                inferred=self._inferred,
                filtered=dict(self._filtered),
                gated=self._gated,
                dropped=dict(self._dropped),
                failed=dict(self._failed),
                in_flight=self._preparing + len(self._waiting) + self._inferring,
            )
