"""How long records take from the store's door to the disk, and from the disk to the collector. Bounded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from agent.blocks import STREAMS
from agent.histogram import Rolling
from agent.store.reports import Acked, Committed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.blocks import Stream
    from agent.clock import Clock
    from agent.supervision.recorder import Store

_MARKS = 4096
"""Puts, or commits, of a stream that are watched at a time; further ones pass unmeasured."""

_Marks = deque[tuple[int, float]]


class Passage:
    """Stands before the store: passes records on, and measures them by the store's own reports.

    A put and a commit each leave one mark: a sequence number and a time. Records of one stream are numbered
    from 1 in the order in which they are put, so counting gives their numbers. ``deliver`` ends with the
    acknowledgement of all records up to one, which after an outage is that of the backlog before it.

    Args:
        store: where records go.
        clock: measures.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._last: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._put: dict[Stream, _Marks] = {stream: deque() for stream in STREAMS}
        self._committed: dict[Stream, _Marks] = {stream: deque() for stream in STREAMS}
        self._epoch = ""
        self.spans = Rolling()
        """By ``commit.<stream>`` and ``deliver.<stream>``."""

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        """Store records, and the ledgers as of the last of them."""
        self._store.put(records, ledgers, stream)
        if records:
            self._last[stream] += len(records)
            _mark(self._put[stream], self._last[stream], self._clock.monotonic())

    def take(self, event: object, now: float) -> None:
        """Take in a report of the store; others are ignored."""
        if isinstance(event, Committed):
            self._epoch = event.epoch
            self._count(f"commit.{event.stream}", self._put[event.stream], event.last, now)
            _mark(self._committed[event.stream], event.last, now)
        elif isinstance(event, Acked) and event.epoch == self._epoch:
            # From memory a record can be delivered before it is durable: then it is not waited for any more.
            self._count("", self._put[event.stream], event.upto, now)
            self._count(f"deliver.{event.stream}", self._committed[event.stream], event.upto, now)

    def _count(self, name: str, marks: _Marks, upto: int, now: float) -> None:
        while marks and marks[0][0] <= upto:
            _, since = marks.popleft()
            if name:
                self.spans.add(now, name, now - since)


def _mark(marks: _Marks, seq: int, now: float) -> None:
    if len(marks) < _MARKS:
        marks.append((seq, now))
