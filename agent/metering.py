"""What the supervisor remembers of a pipeline to report on it: rates and latencies of the recent past."""

from __future__ import annotations

from collections import deque

_LATENCIES = 2048
_RATE_S = 5.0


class Meter:
    """Rate and latency of one pipeline."""

    def __init__(self) -> None:
        self._infer_us: deque[int] = deque(maxlen=_LATENCIES)
        self._counts: deque[tuple[float, int]] = deque([(0.0, 0)])

    def add(self, now: float, infer_us: list[int]) -> None:
        """Note the inferences that just came in, each with its duration in microseconds."""
        self._infer_us.extend(infer_us)
        total = self._counts[-1][1] + len(infer_us)
        if now - self._counts[-1][0] < _RATE_S / 20 and len(self._counts) > 1:
            self._counts[-1] = (self._counts[-1][0], total)
        else:
            self._counts.append((now, total))
        while len(self._counts) > 2 and now - self._counts[1][0] > _RATE_S:
            self._counts.popleft()

    def fps(self, now: float) -> float:
        """Inferences a second over the last seconds."""
        first = next((c for c in self._counts if c[0] and now - c[0] <= _RATE_S), None)
        if first is None or now - first[0] <= 0:
            return 0.0
        return round((self._counts[-1][1] - first[1]) / (now - first[0]), 2)

    def percentile_ms(self, share: float) -> float:
        """Give the duration in milliseconds that ``share`` (0 to 1) of the recent inferences stayed under."""
        if not self._infer_us:
            return 0.0
        ordered = sorted(self._infer_us)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000, 3)
