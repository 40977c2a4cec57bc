"""How the store gathers records, lays them out, and what it may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.sqlite import LOG_PAGES, PAGE

_SMALLEST_SEGMENT = 64 << 10
_FEWEST_LOG_PAGES = 16
_LOGS_A_CAP = 32
_SEGMENTS_A_CAP = 16
"""A cap is kept by unlinking whole segments: so many of them keep it within a sixteenth."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How records are gathered and laid out, and the bounds. Times are seconds, sizes bytes.

    Attributes:
        commit_interval_s: the longest that a result waits for its commit; an alert never waits.
        metric_interval_s: the longest that a metric waits: every commit costs flash.
        block_results: a block closes at so many records.
        block_bytes: a block closes at about so many bytes of JSON; they pack to a third or less.
        segment_bytes: a segment file is closed, and the next begun, at this size.
        max_bytes: all that stands on disk but the ballast; the oldest of the least important goes first.
        max_age_s: how long a record is kept, of the time that the agent ran; 0: for ever.
        memory_bytes: packed blocks kept in memory while the disk refuses.
        media_bytes: snapshots and clips of events; the oldest go first, and all of them before any record.
        ballast_bytes: a file that is given up when the disk is full, so that deleting works; 0: none.
    """

    commit_interval_s: float = 0.5
    metric_interval_s: float = 5.0
    block_results: int = 64
    block_bytes: int = 48 << 10
    segment_bytes: int = 16 << 20
    max_bytes: int = 1 << 30
    max_age_s: float = 0.0
    memory_bytes: int = 8 << 20
    ballast_bytes: int = 0
    media_bytes: int = 256 << 20

    def fitted(self, disk_bytes: int) -> StoreSettings:
        """The same for a disk of this size: the cap leaves a fifth of it to others."""
        most = disk_bytes * 4 // 5
        return replace(self, max_bytes=min(self.max_bytes, most), media_bytes=min(self.media_bytes, most))

    @property
    def segment_limit(self) -> int:
        """The size at which a segment is closed: small enough for the cap."""
        return min(self.segment_bytes, max(_SMALLEST_SEGMENT, self.max_bytes // _SEGMENTS_A_CAP))

    @property
    def log_pages(self) -> int:
        """At how many pages SQLite's logs are folded in: all four together take an eighth of the cap."""
        return min(LOG_PAGES, max(_FEWEST_LOG_PAGES, self.max_bytes // _LOGS_A_CAP // PAGE))
