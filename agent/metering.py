"""What the supervisor remembers of a pipeline to report on it: rate, latencies, and the newest result."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from agent.histogram import Rolling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.workers.messages import Timings
    from agent.workers.record import Record

_LATENCIES = 2048
_RATE_S = 5.0
_MARK_S = 0.25
_LAST_ITEMS = 10
_LAST_BYTES = 2 << 10


class Meter:
    """Rate, latency and newest result of one pipeline."""

    def __init__(self) -> None:
        self._infer_us: deque[int] = deque(maxlen=_LATENCIES)
        self._total = 0
        self._marks: deque[tuple[float, int]] = deque()
        self._last: tuple[float, Record] | None = None
        self.stages = Rolling()
        """How long each stage took, as the worker tells it."""

    def keep(self, now: float, records: Sequence[Record], timings: Sequence[Timings]) -> None:
        """Note what a worker has just sent."""
        good = [record for record in records if record.kind != "failed"]
        self.add(now, [record.infer_us for record in good])
        if good:
            self.saw(now, good[-1])
        for message in timings:
            for stage, timing in message.stages.items():
                self.stages.merge(now, stage, timing.histogram())

    def add(self, now: float, infer_us: list[int]) -> None:
        """Note the inferences that just came in, each with its duration in microseconds."""
        self._infer_us.extend(infer_us)
        self._total += len(infer_us)
        if not self._marks or now - self._marks[-1][0] >= _MARK_S:
            self._marks.append((now, self._total))
        while len(self._marks) > 1 and now - self._marks[0][0] > _RATE_S:
            self._marks.popleft()

    def fps(self, now: float) -> float:
        """Inferences a second over the last seconds; 0 when the last one is longer ago."""
        if not self._marks or now - self._marks[-1][0] > _RATE_S:
            return 0.0
        since, count = self._marks[0]
        return round((self._total - count) / (now - since), 2) if now > since else 0.0

    def percentile_ms(self, share: float) -> float:
        """Give the duration in milliseconds that ``share`` (0 to 1) of the recent inferences stayed under."""
        if not self._infer_us:
            return 0.0
        ordered = sorted(self._infer_us)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000, 3)

    def saw(self, now: float, record: Record) -> None:
        """Remember the newest result: a reference, so that no frame pays for what is seldom asked."""
        self._last = now, record

    def last(self, now: float) -> dict[str, Any] | None:
        """Give the newest result, with its age since it came in; None before the first.

        At most 10 items, of 2 KiB of JSON together, are told; ``more`` counts the others.
        """
        if self._last is None:
            return None
        came, record = self._last
        items: list[dict[str, Any]] = []
        room = _LAST_BYTES
        for item in record.items[:_LAST_ITEMS]:
            room -= len(orjson.dumps(item))
            if room < 0:
                break
            items.append(item)
        return {
            "frame": record.frame,
            "kind": record.kind,
            "items": items,
            "more": len(record.items) - len(items),
            "age_s": round(max(0.0, now - came), 3),
        }
