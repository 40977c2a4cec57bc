"""Holds a worker's threads to the deadlines of their phases, and learns how long its model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.histogram import Histogram
from agent.types import Phase
from agent.workers.heartbeat import Slot
from agent.workers.policy import limit_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.config.tables import Deadlines
    from agent.workers.heartbeat import Page
    from agent.workers.messages import Timings

_ENOUGH, _HALF = 100, 500
"""Frames that a deadline can be learned from; and how many of the last ones are never forgotten."""
_FACTOR = 10
_SHARE = 0.99
_AGAIN_S = 0.2
"""A learned deadline is overrun when it was so at a look before, too: the whole machine may stand still."""


class Learned:
    """How long a model takes for a frame, of its last 500 to 1,000 frames."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another model serves now, or another delegate; what comes next is still of both."""
        self._recent, self._before = Histogram(), Histogram()
        self._mixed = True
        self.usual_s: float | None = None
        """The 99th percentile; None as long as too few frames were seen."""

    def take(self, timings: Iterable[Timings]) -> None:
        """Take in what a worker tells about once a second."""
        for message in timings:
            if (infer := message.stages.get("infer")) is None:
                continue
            if self._mixed:  # it began before the change
                self._mixed = False
                continue
            self._recent.merge(infer.histogram())
            self._weigh()

    def _weigh(self) -> None:
        whole = Histogram(self._recent.buckets)
        whole.max_us = max(self._recent.max_us, self._before.max_us)
        for bucket, count in self._before.buckets.items():
            whole.buckets[bucket] = whole.buckets.get(bucket, 0) + count
        if whole.count >= _ENOUGH:
            self.usual_s = whole.percentile(_SHARE)
        if self._recent.count >= _HALF:
            self._before, self._recent = self._recent, Histogram()


class Judge:
    """Looks at a worker's heartbeat page.

    Args:
        deadlines: of the phases.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._suspect: tuple[float, float] | None = None

    def invoke_s(self, learned: Learned | None) -> float:
        """How long one inference may take, as far as is known of this model."""
        most_s = self._deadlines.invoke_s
        if learned is None or learned.usual_s is None or not self._deadlines.learn:
            return most_s
        return min(most_s, max(self._deadlines.invoke_floor_s, _FACTOR * learned.usual_s))

    def overrun(self, page: Page, learned: Learned | None, now: float) -> tuple[str, float] | None:
        """Say which thread is in one phase for too long, and for how long; None for none.

        Args:
            page: the worker's.
            learned: how long its model takes; None where that says nothing of the next frame.
            now: seconds of the monotonic clock.

        Raises:
            MessageInvalid: it has written over its page.
        """
        suspect, self._suspect = self._suspect, None
        for slot in (Slot.CAPTURE, Slot.INFER, Slot.LOAD):
            phase, since = page.read(slot)
            limit = limit_s(phase, self._deadlines)
            if limit is None:
                continue
            overrun = f"{slot.name.lower()} thread in {phase.name.lower()}", now - since
            if now - since > limit:
                return overrun
            if phase is Phase.INVOKE and now - since > self.invoke_s(learned):
                if suspect is None or suspect[0] != since:
                    suspect = since, now
                elif now - suspect[1] >= _AGAIN_S:
                    return overrun
                self._suspect = suspect
        return None
