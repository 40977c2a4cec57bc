"""Where captured frames wait for the model, and where every one of them is counted.

Capture thread: ``acquire`` a buffer, read a frame, ``begin``, preprocess into the buffer, ``publish``.
Infer thread: ``take``, invoke, ``settle``. A live source keeps only the newest frame and counts what it
overwrites; a recording waits for room. Buffers are preallocated and go round; no frame is copied.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.ledger import Ledger

if TYPE_CHECKING:
    from agent.errors import AgentError
    from agent.types import Array, FrameInfo

BUFFERS = 4
"""One is written, up to two wait, one is inferred."""
_WAITING_RECORDED = 2


@dataclass(frozen=True, slots=True)
class Item:
    """A frame on its way: the index of its buffer, or the error that failed it and the ledger's reason.

    ``began_ns`` and ``ready_ns`` are when its preprocessing began and ended, CLOCK_MONOTONIC in nanoseconds.
    """

    index: int
    info: FrameInfo
    error: AgentError | None = None
    reason: str = ""
    pixels: Array | None = None
    """The picture itself, only where somebody wants to draw on it."""
    began_ns: int = 0
    ready_ns: int = 0


class Slot:
    """The place between the capture thread and the infer thread of one pipeline."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._free = list(range(BUFFERS))
        self._waiting: deque[Item] = deque()
        self._preparing = 0
        self._inferring = 0
        self._ended = False
        self._captured = 0
        self._inferred = 0
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

    def begin(self) -> int:
        """Count a frame as captured; give how many there are now."""
        with self._changed:
            self._captured += 1
            self._preparing = 1
            return self._captured

    def publish(self, item: Item) -> None:
        """Hand over a frame that is ready for the model, or one that failed before it got there."""
        with self._changed:
            self._preparing = 0
            if self.live and self._waiting:
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

    def end(self) -> None:
        """Say that no frame will follow."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Item | None:
        """Give the next frame, or None when none came in time or none will."""
        with self._changed:
            if not self._waiting and not self._ended:
                self._changed.wait(timeout_s)
            if not self._waiting:
                return None
            self._inferring = 1
            item = self._waiting.popleft()
            self._changed.notify_all()
            return item

    def settle(self, item: Item, failed: str = "") -> None:
        """Count the frame that was taken as inferred, or as failed for a reason; free its buffer."""
        with self._changed:
            self._inferring = 0
            if failed:
                self._failed[failed] += 1
            else:
                self._inferred += 1
            self._free.append(item.index)
            self._changed.notify_all()

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
                dropped=dict(self._dropped),
                failed=dict(self._failed),
                in_flight=self._preparing + len(self._waiting) + self._inferring,
            )
