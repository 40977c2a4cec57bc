"""One turn of the store's thread: what is decided there, without the thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.store.faults import Faults
from agent.store.reports import Acked, Committed, Leased

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.store.inbox import Want, Work
    from agent.store.outbox import Outbox
    from agent.store.reports import StoreReport


class StoreLoop:
    """Serves the inbox from the outbox. What the disk refuses is kept, and tried again with back-off.

    Args:
        outbox: the open outbox.
        post: takes each report.
    """

    def __init__(self, outbox: Outbox, post: Callable[[StoreReport], None]) -> None:
        self._outbox = outbox
        self._post = post
        self._faults = Faults(post)
        self._acks: dict[str, int] = {}
        self.committed = 0
        """The last sequence number whose commit was reported."""
        self.status = outbox.status()
        """Where the outbox stood after the last turn."""

    def turn(self, work: Work, now: float) -> None:
        """Do what is asked and what is due at ``now``, on the monotonic clock."""
        for put in work.puts:
            self._outbox.put(put.records, put.ledgers)
        for epoch, upto in work.acks.items():
            self._acks[epoch] = max(upto, self._acks.get(epoch, 0))
        if self._acks and not self._faults.patience("ack", now):
            self._acknowledge(now)  # first: on a full disk it makes room
        waits = self._outbox.due(now)
        if waits is not None and (work.stopping or not waits) and not self._faults.patience("commit", now):
            self._commit(now)
        for want in work.wants:
            self._serve(want, now)
        self.status = self._outbox.status()

    def due(self, now: float) -> float | None:
        """Seconds from ``now`` until the next turn is needed; None when nothing waits."""
        times = []
        if (commit := self._outbox.due(now)) is not None:
            times.append(max(commit, self._faults.patience("commit", now)))
        if self._acks:
            times.append(self._faults.patience("ack", now))
        return min(times, default=None)

    def _commit(self, now: float) -> None:
        try:
            last = self._outbox.flush()
        except AgentError as error:
            self._faults.failed("commit", error, now)
            return
        count = last - self.committed
        self.status = self._outbox.status()  # whoever sees it committed must see it waiting
        self.committed = last
        self._post(Committed(self._outbox.epoch, last, count))
        self._faults.worked("commit")

    def _acknowledge(self, now: float) -> None:
        for epoch, upto in list(self._acks.items()):
            try:
                count = self._outbox.ack(epoch, upto)
            except AgentError as error:
                self._faults.failed("ack", error, now)
                return
            del self._acks[epoch]
            if count:
                self._post(Acked(epoch, upto, count))
        self._faults.worked("ack")

    def _serve(self, want: Want, now: float) -> None:
        try:
            lease = self._outbox.lease(want.after, want.max_bytes)
        except AgentError as error:
            self._faults.failed("lease", error, now)
            lease = None
        else:
            self._faults.worked("lease")
        self._post(Leased(lease, want.after))
