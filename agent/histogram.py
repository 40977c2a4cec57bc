"""Durations, counted in buckets: small, mergeable, and true to 1.6 % from 1 us to 1000 s.

The buckets are log-linear, as in HdrHistogram (Gil Tene, https://hdrhistogram.org): each power of two is
split into 32 equal parts, so a bucket is at most 1/32 as wide as its values are large, and its middle is off
by half of that at most. Microseconds are whole. Only buckets that hold something are kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BITS = 5
_PARTS = 1 << _BITS
LONGEST_US = 1_000_000_000
"""1000 s: whatever lasts longer counts as this long."""
_US = 1e6
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
"""The percentiles that are told, by their names."""


def bucket_of(us: int) -> int:
    """Give the number of the bucket for a duration in microseconds, which is moved into 0 to 1000 s."""
    if not 0 <= us <= LONGEST_US:
        us = min(max(us, 0), LONGEST_US)
    shift = us.bit_length() - _BITS - 1
    return us if shift <= 0 else (shift << _BITS) + (us >> shift)


MOST_BUCKETS = bucket_of(LONGEST_US) + 1


def middle_of(bucket: int) -> float:
    """Give the middle of a bucket, in microseconds; below 64 us each holds one value, which it is."""
    shift = max(0, (bucket >> _BITS) - 1)
    lowest = (bucket - (shift << _BITS)) << shift
    return lowest + ((1 << shift) - 1) / 2


def percentile(values: Iterable[float], share: float) -> float:
    """Give the smallest of some values that ``share`` (0 to 1) of them do not exceed: the nearest rank.

    Raises:
        IndexError: there are none.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Histogram:
    """Durations of one stage.

    Attributes:
        buckets: how many durations each bucket holds, by its number; none is 0.
        sum_us: all durations together, in microseconds.
        max_us: the longest.
    """

    __slots__ = ("buckets", "max_us", "sum_us")

    def __init__(self, buckets: Mapping[int, int] | None = None, sum_us: int = 0, max_us: int = 0) -> None:
        self.buckets = dict(buckets or {})
        self.sum_us = sum_us
        self.max_us = max_us

    def add(self, ns: int) -> None:
        """Count a duration in nanoseconds."""
        us = ns // 1000
        if not 0 <= us <= LONGEST_US:
            us = min(max(us, 0), LONGEST_US)
        bucket = bucket_of(us)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.sum_us += us
        self.max_us = max(self.max_us, us)

    def merge(self, other: Histogram) -> None:
        """Count all that another has counted, too."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.sum_us += other.sum_us
        self.max_us = max(self.max_us, other.max_us)

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.buckets.values())

    def percentile(self, share: float) -> float:
        """Give the seconds that ``share`` (0 to 1) of all durations stayed under, to 1.6 %; 0 when empty."""
        wanted = share * self.count
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(middle_of(bucket), self.max_us) / _US
        return 0.0

    def to_json(self) -> dict[str, Any]:
        """The counts, in seconds; ``buckets`` lists each that is not empty, as [number, count]."""
        return {
            "count": self.count,
            "sum": self.sum_us / _US,
            **{name: round(self.percentile(share), 7) for name, share in SHARES.items()},
            "max": self.max_us / _US,
            "buckets": [[bucket, self.buckets[bucket]] for bucket in sorted(self.buckets)],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Histogram:
        """Read what ``to_json`` wrote.

        Raises:
            MessageInvalid: it is something else.
        """
        try:
            buckets = dict(body["buckets"])
            sum_us, max_us = round(body["sum"] * _US), round(body["max"] * _US)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MessageInvalid("read", "histogram", f"{type(error).__name__}: {error}") from error
        counts = [*buckets, *buckets.values(), sum_us, max_us]
        if not all(type(number) is int and number >= 0 for number in counts):
            raise MessageInvalid("read", "histogram", "what is no count is in it")
        if any(bucket >= MOST_BUCKETS for bucket in buckets) or max_us > LONGEST_US:
            raise MessageInvalid("read", "histogram", "it is beyond 1000 s")
        return cls({bucket: count for bucket, count in buckets.items() if count}, sum_us, max_us)


class Rolling:
    """Histograms by name: of about the last minute, and of the time since they were last taken.

    The names come from a closed list, so that this stays small.
    """

    def __init__(self, slice_s: float = 10.0, slices: int = 6) -> None:
        self._slice_s = slice_s
        self._slices = slices
        self._recent: list[tuple[float, dict[str, Histogram]]] = []
        self._since: dict[str, Histogram] = {}

    def merge(self, now: float, name: str, more: Histogram) -> None:
        """Count what was counted elsewhere, as of ``now`` on the monotonic clock."""
        if not self._recent or now - self._recent[-1][0] >= self._slice_s:
            self._recent.append((now, {}))
            del self._recent[: -self._slices]
        for histograms in (self._recent[-1][1], self._since):
            histograms.setdefault(name, Histogram()).merge(more)

    def add(self, now: float, name: str, seconds: float) -> None:
        """Count one duration."""
        one = Histogram()
        one.add(int(seconds * 1e9))
        self.merge(now, name, one)

    def recent(self, now: float) -> dict[str, Histogram]:
        """Give the last minute, to about 10 s."""
        found: dict[str, Histogram] = {}
        for began, histograms in self._recent:
            if now - began < self._slice_s * self._slices:
                for name, one in histograms.items():
                    found.setdefault(name, Histogram()).merge(one)
        return found

    def recent_ms(self, now: float) -> dict[str, dict[str, float]]:
        """Give the percentiles of the last minute, in milliseconds, by name."""
        return {
            name: {label: round(one.percentile(share) * 1000, 3) for label, share in SHARES.items()}
            for name, one in self.recent(now).items()
        }

    def take(self) -> dict[str, Histogram]:
        """Give what was counted since the last call."""
        taken, self._since = self._since, {}
        return taken
