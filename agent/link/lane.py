"""A lane of the delivery: what is on its way from one place of a stream on. It decides, and does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.blocks import Position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.blocks import Lease, Stream
    from agent.link.batch import LaneName
    from agent.link.window import Window

_FIRST_BYTES, _LEAST_BYTES, _MOST_BYTES = 128 << 10, 8 << 10, 1 << 20
_AHEAD_S = 0.4
"""How long batches may queue on their way, beyond the answer time: live results queue behind them."""
_RATE_S = 0.1
"""The rate is measured over so long, and over no less than an answer takes: answers come in bursts."""


_STREAMS: dict[LaneName, Stream] = {
    "alert": "alert",
    "live": "result",
    "backlog": "result",
    "metric": "metric",
}


class Pace:
    """How many bytes may be on their way: what is acknowledged in the time of an answer and a little more.

    The time of an answer is the shortest that was seen on this connection, so that our own queue does not
    count into it (as BBR does, https://queue.acm.org/detail.cfm?id=3022184).
    """

    def __init__(self) -> None:
        self.bytes = _FIRST_BYTES
        self._answer_s: float | None = None
        self._since: float | None = None
        self._acked = 0

    def restart(self, *, unanswered: bool = False) -> None:
        """Forget the answer time: the way to the collector may be another one.

        Args:
            unanswered: something was on its way. When nothing of it was ever answered it was too much for a
                slow link, which would otherwise carry the same bytes again and again, and never all of them.
        """
        if unanswered and self._since is None:
            self.bytes = max(_LEAST_BYTES, self.bytes // 2)
        self._answer_s = self._since = None
        self._acked = 0

    def acked(self, size: int, now: float, answered_s: float | None = None) -> None:
        """Count bytes that were acknowledged.

        Args:
            size: how many.
            now: monotonic, seconds.
            answered_s: how long the last of them had been on their way; None: not known.
        """
        if answered_s is not None:
            self._answer_s = min(answered_s, self._answer_s or answered_s)
        if self._since is None:
            self._since = now
            return
        self._acked += size
        answer_s = self._answer_s or 0.0
        if (span := now - self._since) >= max(_RATE_S, answer_s):
            wanted = int(self._acked / span * (_AHEAD_S + answer_s))
            self.bytes = max(_LEAST_BYTES, min(_MOST_BYTES, 2 * self.bytes, wanted))
            self._since, self._acked = now, 0


class Lane:
    """One cursor in a stream and its window.

    Args:
        name: what it is for; batches tell it.
        window: a fresh one.
        acked: how far each epoch of each stream is acknowledged; its owner keeps it up.
        share: how many of every eight batches on their way may be of this lane.
        patience: how many batches of others may go before it, when all that may be on its way is.
        urgent: it waits for no cap.

    Attributes:
        stream: what is sent.
        asked: the token of the lease that was asked for; 0: none is.
        begin: sending begins after this; None: after what is acknowledged.
        end: nothing after this is sent; None: all is.
        active: whether it is used at all.
        blocked: the broker takes nothing so large as what is next; cleared with a new connection.
        waited: how many batches of others have gone before it, while it could send.
        dry_until: until then the store is believed to have nothing more.
        pace: bounds what is on its way.
    """

    def __init__(
        self,
        name: LaneName,
        window: Window,
        acked: Mapping[tuple[Stream, str], int],
        *,
        share: int = 8,
        patience: int = 0,
        urgent: bool = False,
    ) -> None:
        self.name = name
        self.stream = _STREAMS[name]
        self.window = window
        self.pace = Pace()
        self.patience = patience
        self.urgent = urgent
        self._acked = acked
        self._share = share
        self.asked = 0
        self.begin: Position | None = None
        self.end: Position | None = None
        self.active = True
        self.blocked = False
        self.waited = 0
        self.dry_until = 0.0

    def restart(self, begin: Position | None = None, end: Position | None = None) -> int:
        """Begin again; give how many batches were on their way. An answer that is still to come is void."""
        self.asked = 0
        self.begin, self.end = begin, end
        self.dry_until = 0.0
        count = self.window.reset()
        self.pace.restart(unanswered=count > 0)
        return count

    def jump(self, begin: Position) -> None:
        """Send what comes after ``begin``, and leave out what lies before; what is on its way stays there."""
        self.asked = 0
        self.begin = begin
        self.dry_until = 0.0

    def drained(self, now: float) -> bool:
        """Whether all of it has been sent, as far as is known."""
        return not (self.asked or len(self.window)) and now < self.dry_until

    def limit(self, batches: int) -> int:
        """How many of ``batches`` on their way may be of this lane."""
        return max(1, batches * self._share // 8)

    def wants(self, now: float) -> bool:
        """Whether a lease should be asked for, if there is room."""
        return self.active and not (self.asked or self.blocked) and now >= self.dry_until

    def room(self) -> int:
        """How many bytes may be sent; 0 when the window is full, never 0 when it is empty."""
        if not len(self.window):
            return self.pace.bytes
        return min(self.window.room, max(0, self.pace.bytes - self.window.bytes))

    def after(self, have: Sequence[tuple[int, int]] = ()) -> Position | None:
        """The record after which the next lease begins; ``have``, ranges of its epoch, is passed over."""
        place = self.cursor
        if place is None:
            return None
        for first, last in have:
            if first <= place.seq + 1 <= last:
                place = Position(place.epoch, last)
        return place

    @property
    def cursor(self) -> Position | None:
        """Where the last batch on its way ends, or the lane begins; None: what is acknowledged."""
        return _later(self.window.next_after(), self.begin)

    def trimmed(self, lease: Lease) -> Lease | None:
        """Cut off what lies after ``end``; None when nothing is left."""
        if self.end is None or lease.epoch != self.end.epoch or lease.last <= self.end.seq:
            return lease
        kept = tuple(block for block in lease.blocks if block.last <= self.end.seq)
        return lease.replaced(kept) if kept else None

    def fresh(self, lease: Lease, have: Sequence[tuple[int, int]], now: float) -> Lease | None:
        """Give what of a lease the collector does not have; what it has only moves the lane on."""
        if lease.last <= self.acked_of(lease):
            self._pass(lease, now)
            return None
        known = [any(a <= block.first and block.last <= b for a, b in have) for block in lease.blocks]
        if True not in known:
            return lease
        if not known[0]:
            return lease.replaced(lease.blocks[: known.index(True)])
        if self._tells(lease):
            return _declaration(lease)
        if self.cursor is None:
            return lease  # what comes next cannot be there: the ranges are those of another database
        self.window.sent(lease.replaced(lease.blocks[: [*known, False].index(False)]), now)
        self.acknowledged(lease.epoch, 0, have, now)
        return None

    def acked_of(self, lease: Lease) -> int:
        """How far the epoch of a lease is acknowledged, if that is beyond where the lease begins; else 0."""
        acked = self._acked.get((self.stream, lease.epoch), 0)
        return acked if min(lease.first, lease.last) <= acked else 0

    def _pass(self, lease: Lease, now: float) -> None:
        """Go on behind a lease that is acknowledged already."""
        if len(self.window):  # it takes its turn behind what is on its way
            self.window.sent(lease, now)
            self.window.acknowledged(lease.epoch, lease.last, now)
        else:
            self.begin = Position(lease.epoch, lease.last)

    def sent_upto(self, epoch: str) -> int:
        """The last record of an epoch that is on its way or acknowledged; 0 when none is."""
        place = self.cursor
        sent = place.seq if place is not None and place.epoch == epoch else 0
        return max(sent, self._acked.get((self.stream, epoch), 0))

    def _tells(self, lease: Lease) -> bool:
        """Whether it tells of losses that no batch on its way does."""
        return bool(lease.lost) and lease.lost[-1].last > self.sent_upto(lease.epoch)

    def acknowledged(self, epoch: str, upto: int, have: Sequence[tuple[int, int]], now: float) -> bool:
        """Take the collector's word; say whether that was news."""
        before = self.window.bytes
        news = self.window.acknowledged(epoch, upto, now, have)
        if news:
            self.pace.acked(before - self.window.bytes, now, self.window.answered_s)
            if self.begin is not None and self.window.settled is not None:
                self.begin = _later(self.window.settled, self.begin)
        return news

    def has_hole(self, epoch: str) -> bool:
        """Whether more is passed than is acknowledged, though nothing before it is on its way.

        Then the collector has lost what it had, or was not told of all losses at once.
        """
        if self.window.reached.get(epoch, 0) > self._acked.get((self.stream, epoch), 0):
            return True
        self.window.reached.pop(epoch, None)
        return False


def _later(sent: Position | None, begin: Position | None) -> Position | None:
    """The place to go on from: what was sent comes after ``begin``, except where the lane has jumped."""
    if sent is not None and begin is not None and sent.epoch == begin.epoch:
        return max(sent, begin, key=lambda place: place.seq)
    return sent or begin


def _declaration(lease: Lease) -> Lease:
    """Give the lease without its blocks: it tells what is lost below them."""
    last = lease.lost[-1].last
    return replace(lease, blocks=(), declared=last, low=min(lease.low, last + 1))
