"""The ordered window: which batches are on their way to the collector, and when to send them again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.blocks import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.blocks import Lease

MAX_BATCHES = 32
"""Batches on their way at once; a broker's Receive Maximum can lower that."""


@dataclass(frozen=True, slots=True)
class _Sent:
    epoch: str
    first: int
    last: int
    size: int
    at: float
    acked: bool = False

    def stored(self, upto: int, have: Sequence[tuple[int, int]]) -> bool:
        """Whether the collector says that it has all of it."""
        return self.last <= upto or any(a <= max(self.first, upto + 1) and self.last <= b for a, b in have)


class Window:
    """Batches of one stream, in the order in which they were sent, until the collector has them.

    Only the collector's acknowledgement moves it. When none comes, all of it is sent again, from the
    acknowledged position on: then one batch at a time and after ever longer waits, so that a collector that
    is away for a day costs little, until an acknowledgement opens the window again.

    Args:
        max_bytes: how many bytes may be on their way; one batch always may.
        resend_s: seconds without an acknowledgement after which the window is overdue.
        resend_cap_s: where doubling that time ends.
    """

    def __init__(
        self, *, max_bytes: int = 1 << 20, resend_s: float = 10.0, resend_cap_s: float = 120.0
    ) -> None:
        self._max_bytes = max_bytes
        self._resend_s = resend_s
        self._resend_cap_s = max(resend_s, resend_cap_s)
        self._patience = resend_s
        self._sent: deque[_Sent] = deque()
        self._limit = MAX_BATCHES
        self._narrow = False
        self._moved = 0.0
        self.bytes = 0
        self.settled: Position | None = None
        """Where the last batch ended that left the window, all before it being stored; None since a reset."""
        self.reached: dict[str, int] = {}
        """How far that is in each epoch; whoever knows that it is acknowledged takes it out."""
        self.answered_s: float | None = None
        """How long the last batch that was acknowledged had been on its way; None when it was sent again."""

    def __len__(self) -> int:
        return len(self._sent)

    def resize(self, receive_max: int) -> None:
        """Set how many batches may be on their way, from what the broker allows."""
        self._limit = max(1, min(MAX_BATCHES, receive_max))

    @property
    def room(self) -> int:
        """How many bytes may be sent now; 0 when the window is full, never 0 when it is empty."""
        if not self._sent:
            return self._max_bytes
        if len(self._sent) >= (1 if self._narrow else self._limit):
            return 0
        return max(0, self._max_bytes - self.bytes)

    def next_after(self) -> Position | None:
        """The record after which the next batch begins; None: after what is acknowledged."""
        return Position(self._sent[-1].epoch, self._sent[-1].last) if self._sent else None

    def sent(self, lease: Lease, now: float) -> None:
        """Count ``lease`` as on its way."""
        if not self._sent:
            self._moved = now
        self._sent.append(_Sent(lease.epoch, lease.first, lease.last, lease.size, now))
        self.bytes += lease.size

    def acknowledged(self, epoch: str, upto: int, now: float, have: Sequence[tuple[int, int]] = ()) -> bool:
        """Take the collector's word for all of ``epoch`` up to ``upto``, and ``have``; say if it was news.

        A batch that is stored while an older one is not stays in the window until the older one is, so that
        ``next_after`` never goes back.
        """
        news = False
        for at, sent in enumerate(self._sent):
            if not sent.acked and sent.epoch == epoch and sent.stored(upto, have):
                self._sent[at] = replace(sent, acked=True)
                self.bytes -= sent.size
                self.answered_s = None if self._narrow else now - sent.at
                news = True
        while self._sent and self._sent[0].acked:
            first = self._sent.popleft()
            self.settled = Position(first.epoch, first.last)
            self.reached[first.epoch] = first.last
        if news:
            self._narrow = False
            self._patience = self._resend_s
            self._moved = now
        return news

    def progressed(self, now: float) -> None:
        """Something moves towards the collector: wait for it afresh."""
        self._moved = max(self._moved, now)

    def overdue(self, now: float, times: int = 1) -> bool:
        """Whether batches are on their way and nothing has moved for ``times`` the usual patience."""
        return bool(self._sent) and now - self._moved >= times * self._patience

    def narrow(self) -> None:
        """Send one batch at a time and wait longer for its answer, until an acknowledgement comes."""
        self._narrow = True
        self._patience = min(self._resend_cap_s, 2 * self._patience)

    def hurry(self) -> None:
        """Wait no longer than at first: the collector has shown that it lives."""
        self._patience = self._resend_s

    def reset(self) -> int:
        """Empty the window: the next batch begins after what is acknowledged; give how many were in it."""
        count = len(self._sent)
        self._sent.clear()
        self.bytes = 0
        self.settled = None
        self.reached.clear()
        return count
