"""Where the store stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.blocks import Stream
    from agent.store.queue import StreamStatus


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Where the store stands; the sums are over all streams.

    Attributes:
        epoch: the epoch being written.
        memory: the disk refuses, and records wait in memory.
        streams: each stream by itself.
        cap: the most bytes that the segment files may have.
        oldest_ns: when the oldest record was made that waits for the collector, ns since 1970, as of a few
            seconds ago; 0 for none.
    """

    epoch: str
    memory: bool
    streams: Mapping[Stream, StreamStatus]
    cap: int
    oldest_ns: int = 0

    @property
    def accepted(self) -> int:
        """Records taken in this epoch."""
        return sum(stream.accepted for stream in self.streams.values())

    @property
    def committed(self) -> int:
        """Records made durable in this epoch."""
        return sum(stream.committed for stream in self.streams.values())

    @property
    def acked(self) -> int:
        """Records of this epoch that the collector has."""
        return sum(stream.acked for stream in self.streams.values())

    @property
    def backlog(self) -> int:
        """Records of all epochs that wait for the collector."""
        return sum(stream.backlog for stream in self.streams.values())

    @property
    def size(self) -> int:
        """Bytes of all segment files."""
        return sum(stream.size for stream in self.streams.values())
