"""A lane of the delivery: what is on its way from one place of a stream on. It decides, and does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.blocks import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.blocks import Lease, Stream
    from agent.link.window import Window

_FIRST_BYTES, _LEAST_BYTES, _MOST_BYTES = 128 << 10, 64 << 10, 1 << 20
_AHEAD_S = 0.4
"""How much of what the collector stores in a second may be on its way to it: live results queue behind it."""
_RATE_S = 2.0


class Pace:
    """How many bytes may be on their way, from how fast they are acknowledged."""

    def __init__(self) -> None:
        self.bytes = _FIRST_BYTES
        self._since: float | None = None
        self._acked = 0

    def acked(self, size: int, now: float) -> None:
        """Count ``size`` bytes that were acknowledged at ``now``."""
        if self._since is None:
            self._since = now
        self._acked += size
        if (span := now - self._since) >= _RATE_S / 4:
            wanted = int(self._acked / span * _AHEAD_S)
            self.bytes = max(_LEAST_BYTES, min(_MOST_BYTES, 2 * self.bytes, wanted))
            self._since, self._acked = now, 0


class Lane:
    """One cursor in a stream and its window.

    Args:
        stream: what is sent.
        window: a fresh one.
        share: how many of every eight batches on their way may be of this lane.

    Attributes:
        asked: the token of the lease that was asked for; 0: none is.
        begin: sending begins after this; None: after what is acknowledged.
        end: nothing after this is sent; None: all is.
        drained: all up to ``end`` has been sent.
        dry_until: until then the store is believed to have nothing more.
        pace: bounds what is on its way.
    """

    def __init__(self, stream: Stream, window: Window, share: int = 8) -> None:
        self.stream = stream
        self.window = window
        self.pace = Pace()
        self._share = share
        self.asked = 0
        self.begin: Position | None = None
        self.end: Position | None = None
        self.drained = False
        self.dry_until = 0.0

    def restart(self, begin: Position | None = None, end: Position | None = None) -> int:
        """Begin again; give how many batches were on their way. An answer that is still to come is void."""
        self.asked = 0
        self.begin, self.end = begin, end
        self.drained = False
        self.dry_until = 0.0
        return self.window.reset()

    def limit(self, batches: int) -> int:
        """How many of ``batches`` on their way may be of this lane."""
        return max(1, batches * self._share // 8)

    def wants(self, now: float) -> bool:
        """Whether a lease should be asked for, if there is room."""
        return not self.asked and not self.drained and now >= self.dry_until

    def room(self) -> int:
        """How many bytes may be sent; 0 when the window is full, never 0 when it is empty."""
        if not len(self.window):
            return self.pace.bytes
        return min(self.window.room, max(0, self.pace.bytes - self.window.bytes))

    def after(self, have: Sequence[tuple[int, int]] = ()) -> Position | None:
        """The record after which the next lease begins; ``have``, ranges of its epoch, is passed over."""
        place = self.window.next_after() or self.begin
        if place is None:
            return None
        for first, last in have:
            if first <= place.seq + 1 <= last:
                place = Position(place.epoch, last)
        return place

    def trimmed(self, lease: Lease) -> Lease | None:
        """Cut off what lies after ``end``; None when nothing is left: the lane is drained."""
        if self.end is None or lease.epoch != self.end.epoch or lease.last <= self.end.seq:
            return lease
        kept = tuple(block for block in lease.blocks if block.last <= self.end.seq)
        if not kept:
            self.drained = True
            return None
        return lease.replaced(kept)

    def acknowledged(self, epoch: str, upto: int, have: Sequence[tuple[int, int]], now: float) -> bool:
        """Take the collector's word; say whether that was news."""
        before = self.window.bytes
        news = self.window.acknowledged(epoch, upto, now, have)
        if news:
            self.pace.acked(before - self.window.bytes, now)
            if self.begin is not None and self.window.settled is not None:
                self.begin = self.window.settled
        return news
