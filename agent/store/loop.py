"""One turn of the store's thread: what is decided there, without the thread."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.errors import AgentError, StoreBusy
from agent.events import Event, emit
from agent.slots import Change, Note
from agent.store.faults import Faults
from agent.store.reports import NOBODY, Acked, Buffered, Changed, Committed, Leased

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.media import Medium
    from agent.store.inbox import Asked, Clear, Want, Work
    from agent.store.outbox import Outbox
    from agent.store.reports import Cleared, StoreReport


class StoreLoop:
    """Serves the inbox from the outbox. What the disk refuses is kept, and tried again with back-off.

    Args:
        outbox: the open outbox.
        post: takes each report.
        now: the monotonic time.
    """

    def __init__(self, outbox: Outbox, post: Callable[[StoreReport], None], now: float = 0.0) -> None:
        self._outbox = outbox
        self._post = post
        self._faults = Faults(post)
        self._unsettled = False
        self._changes: deque[Asked] = deque()
        self._put = 0
        self.done = 0
        """Records that were put and are durable, delivered or given up."""
        self.changed = 0
        """Changes that are durable."""
        self.status = outbox.status()
        """Where the outbox stood after the last turn."""
        if outbox.problem is not None:
            self._faults.failed("open", outbox.problem, now)

    @property
    def refusing(self) -> bool:
        """Whether the disk refuses: records wait in memory."""
        return self._outbox.refusing

    def holds(self, epoch: str) -> bool:
        """Whether an epoch is in the store."""
        return any(epoch in queue.epochs for queue in self._outbox.queues.values())

    def turn(self, work: Work, now: float) -> None:
        """Do what is asked and what is due at ``now``, on the monotonic clock."""
        for put in work.puts:
            self._outbox.put(put.records, put.ledgers, put.stream)
            self._put += len(put.records)
        for (stream, epoch), upto in work.acks.items():
            if count := self._outbox.ack(epoch, upto, stream):
                self._unsettled = True
                self._post(Acked(stream, epoch, upto, count))
        for lost in work.given_up:
            self._outbox.lose(lost.epoch, lost.first, lost.last, lost.stream)
            self._unsettled = True
        if not self._outbox.attached and not self._faults.patience("open", now):
            self._attach(now)
        if self._unsettled and not self._faults.patience("ack", now):
            self._settle(now)  # first: on a full disk it makes room
        self._change(work.changes, now)
        waits = self._outbox.due(now)
        if waits is not None and (work.stopping or not waits):
            if self._faults.patience("commit", now):
                self._outbox.shed()
            else:
                self._commit(None if work.stopping else now, now)
        self._clear_all(work.clears, now)
        for want in work.wants:
            self._serve(want, now)
        self._faults.expire("lease", now)  # with the link away nobody asks again
        self.status = self._outbox.status()
        self.done = self._put - self._outbox.uncommitted

    def keep(self, medium: Medium | None) -> None:
        """Write a snapshot or a clip; while the disk refuses, it goes: results are what memory is for."""
        if medium is None:
            return
        if self._outbox.refusing:
            os.close(medium.fd)
            problem = "the disk refuses"
            emit(Event.MEDIA_FAILED, medium.pipeline, kind=medium.kind, bytes=medium.size, problem=problem)
            return
        self._outbox.media.keep(medium)

    def due(self, now: float) -> float | None:
        """Seconds from ``now`` until the next turn is needed; None when nothing waits."""
        times = []
        if (commit := self._outbox.due(now)) is not None:
            times.append(max(commit, self._faults.patience("commit", now)))
        if self._unsettled:
            times.append(self._faults.patience("ack", now))
        if self._changes:
            times.append(self._faults.patience("change", now))
        if not self._outbox.attached:
            times.append(self._faults.patience("open", now))
        return min(times, default=None)

    def _attach(self, now: float) -> None:
        try:
            self._outbox.attach()
        except AgentError as error:
            self._faults.failed("open", error, now)
        else:
            self._faults.worked("open")

    def _worked(self, operation: str) -> None:
        """Note a success; whatever it was, it has opened the disk's side, too."""
        self._faults.worked("open")
        self._faults.worked(operation)

    def _commit(self, due_at: float | None, now: float) -> None:
        before = self._outbox.status()
        try:
            self._outbox.flush(due_at)
        except AgentError as error:
            self._faults.failed("commit", error, now)
            self._post(Buffered())
        else:
            self._worked("commit")
        self.status = after = self._outbox.status()  # whoever sees it committed must see it waiting
        for stream, now_is in after.streams.items():
            if count := now_is.committed - before.streams[stream].committed:
                self._post(Committed(stream, after.epoch, now_is.committed, count))

    def _settle(self, now: float) -> None:
        try:
            self._outbox.settle()
        except AgentError as error:
            self._faults.failed("ack", error, now)
        else:
            self._unsettled = False
            self._worked("ack")

    def _change(self, more: list[Asked], now: float) -> None:
        """Write what waits, in its order: nothing overtakes a change that is refused."""
        self._changes.extend(more)
        if not self._changes or self._faults.patience("change", now):
            return
        try:
            while self._changes:
                asked = self._changes[0]
                audit = self._outbox.change(asked.change, asked.wall_ns, synced=asked.synced)
                self._changes.popleft()
                self.changed += 1
                self._post(Changed(asked.token, audit))
        except AgentError as error:
            self._faults.failed("change", error, now)
        else:
            self._worked("change")

    def _clear_all(self, clears: list[Clear], now: float) -> None:
        """Delete, and note it; what waits in memory is committed before, so that it goes, too."""
        if clears:
            self._commit(None, now)
        for clear in clears:
            self._clear(clear)

    def _clear(self, clear: Clear) -> None:
        try:
            if self._outbox.refusing:
                raise StoreBusy("purge", "store", "the disk refuses", "Free some space, and purge again")
            cleared: dict[str, Cleared] = {one: self._outbox.caps.clear(one) for one in clear.streams}
            if clear.media:
                cleared["media"] = self._outbox.media.clear()
            detail = {f"{what}.{key}": n for what, one in cleared.items() for key, n in asdict(one).items()}
            notes = (Note("data.purged", " ".join(cleared), detail),)
            audit = self._outbox.change(Change(notes=notes), clear.wall_ns, synced=clear.synced)
        except AgentError as error:
            clear.done(error)
        else:
            self._post(Changed(NOBODY, audit))
            clear.done(cleared)

    def _serve(self, want: Want, now: float) -> None:
        lease = None
        try:
            lease = self._outbox.lease(want.after, want.max_bytes, want.stream)
        except AgentError as error:
            self._faults.failed("lease", error, now)
        else:
            self._faults.worked("lease")
        self._post(Leased(want.token, want.stream, lease))
