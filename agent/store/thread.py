"""The store's thread: the only one that touches the outbox, behind methods that never block."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.errors import StoreBusy
from agent.events import Event, emit
from agent.store.custody import fitted
from agent.store.flash import FlashMeter
from agent.store.inbox import Asked, Clear, Inbox
from agent.store.loop import StoreLoop
from agent.store.oldest import Oldest
from agent.store.outbox import Outbox
from agent.store.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agent.blocks import Position, Stream
    from agent.clock import Clock
    from agent.errors import AgentError
    from agent.media import Medium
    from agent.slots import Change
    from agent.store.flash import FlashStatus
    from agent.store.reports import Cleared, StoreReport
    from agent.store.status import StoreStatus

_STUCK_S = 20.0
_MEASURE_S = 2.0
MOST_CHANGES = 256
"""Changes that may wait for a disk that refuses."""
_BEAT_S = 1.0
"""The thread turns at least this often, so that a watchdog can tell that it lives."""


class Store:
    """The outbox in a thread of its own. Its methods may be called from any thread, once it is started.

    Answers come as reports through ``post``, in the store's thread: it must not block.

    Args:
        folder: the data folder, held by the caller (see ``DataFolder``).
        post: takes each report.
        clock: dates records and measures how long they wait.
        settings: how records are gathered and laid out.
        take: makes sure that the folder is held; called by the thread where the start could not.
    """

    def __init__(
        self,
        folder: Path,
        post: Callable[[StoreReport], None],
        *,
        clock: Clock,
        settings: StoreSettings | None = None,
        take: Callable[[], None] = lambda: None,
    ) -> None:
        self._take = take
        self._folder = folder
        self._post = post
        self._clock = clock
        self._settings = settings or StoreSettings()
        self._inbox = Inbox(self._settings.block_results)
        self._loop: StoreLoop | None = None
        self._thread: threading.Thread | None = None
        self._close_by = 0.0
        self._heartbeat = clock.monotonic()
        self._meter = FlashMeter(self._heartbeat)
        self._flash = self._meter.status(self._heartbeat)
        self._oldest = Oldest()

    def start(self) -> None:
        """Open the outbox and start the thread. A disk that refuses is tried again by the thread.

        Raises:
            FolderUnusable: a file in the folder is of another version, or not ours.
        """
        outbox = Outbox(self._folder, clock=self._clock, settings=self._settings, take=self._take)
        self._loop = StoreLoop(outbox, self._post, self._clock.monotonic())
        emit(Event.STORE_OPENED, str(self._folder), epoch=outbox.epoch, backlog=self._loop.status.backlog)
        self._thread = threading.Thread(
            target=self._run, args=(outbox, self._loop), name="store", daemon=True
        )
        self._thread.start()

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        """Store records, and the ledgers as of the last of them; see ``Outbox.put``. ``Committed`` follows.

        Raises:
            RuntimeError: the store is closed.
        """
        self._inbox.put(records, ledgers, stream)

    def lease(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        """Ask for blocks to send; see ``Outbox.lease``. ``Leased`` follows, with the token."""
        self._inbox.want(stream, after, max_bytes, token)

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        """Say what the collector has stored; see ``Outbox.ack``. ``Acked`` follows if that was news."""
        self._inbox.ack(stream, epoch, upto)

    def lose(self, stream: Stream, epoch: str, first: int, last: int) -> None:
        """Give up records that no broker takes; see ``Outbox.lose``."""
        self._inbox.give_up(stream, epoch, first, last)

    def change(self, change: Change, token: int) -> None:
        """Write a change of the models' rows, all of it or nothing. ``Changed`` follows, once it is durable.

        Changes are written in the order in which they were asked for, each once. While the disk refuses
        they wait, and are tried again; a stop waits for them as it does for records. Entries of the audit log
        are dated now; texts that are too long in them are cut.

        Raises:
            StoreBusy: 256 wait already; this one was not taken. Ask again when some are done.
            ValueError, TypeError: there is no writing this one; see ``custody.fitted``.
            RuntimeError: the store is closed.
        """
        if self.changing >= MOST_CHANGES:
            problem = f"{MOST_CHANGES} changes wait for the disk already"
            raise StoreBusy("change", str(self._folder), problem, "Free some space, or mount it read-write")
        self._inbox.change(Asked(fitted(change), token, self._clock.wall_ns(), self._clock.synced()))

    def clear(
        self,
        streams: Sequence[Stream],
        done: Callable[[Mapping[str, Cleared] | AgentError], None],
        *,
        media: bool = False,
    ) -> None:
        """Delete all records of some streams, and snapshots and clips; the audit log says so.

        ``done`` is told what went, by stream and for "media", or why it could not: in the store's thread.
        """
        now_ns, synced = self._clock.wall_ns(), self._clock.synced()
        self._inbox.clear(Clear(tuple(streams), media, done, now_ns, synced))

    def keep(self, medium: Medium) -> bool:
        """Write a snapshot or a clip when nothing else is to be done; see ``MediaShelf``.

        Returns:
            Whether it is taken, with its memory: not when too many wait.
        """
        return self._inbox.keep(medium)

    @property
    def changing(self) -> int:
        """Changes that were asked for and are not durable yet."""
        done = self._opened().changed
        return self._inbox.asked - done

    def holds(self, epoch: str) -> bool:
        """Whether an epoch is in the store and not wholly delivered. Takes no lock."""
        return self._opened().holds(epoch)

    def status(self) -> StoreStatus:
        """Where the store stood after the thread's last turn. Takes no lock."""
        return replace(self._opened().status, oldest_ns=self._oldest.ns)

    @property
    def pending(self) -> int:
        """Records that were put and are not committed yet. Stop feeding the store when they are many."""
        done = self._opened().done  # before the other: this may say too many, never too few
        return self._inbox.accepted - done

    @property
    def urgent(self) -> int:
        """The same without metrics, which wait longer for a commit: those that a stop should wait for."""
        status = self._opened().status
        metric = status.streams["metric"]
        return self.pending - (0 if status.memory else metric.accepted - metric.committed)

    @property
    def queued(self) -> int:
        """Records that the thread has not even taken in; more than a turn's worth when it hangs."""
        return self._inbox.queued

    def flash(self) -> FlashStatus:
        """How much this process has written to storage, as of the last few seconds. Takes no lock."""
        return self._flash

    @property
    def refusing(self) -> bool:
        """Whether the disk refuses: records wait in memory, and the oldest go when there are too many."""
        return self._opened().refusing

    def healthy(self, now: float) -> bool:
        """Whether the thread answers: it has committed, is idle, or has told of a disk that refuses.

        A commit that hangs in the kernel is none of these.
        """
        return self.alive and now - self._heartbeat < _STUCK_S

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def heartbeat(self) -> float:
        """When the thread last turned, on the monotonic clock; at least every second."""
        return self._heartbeat

    def close(self, timeout: float) -> bool:
        """Commit what is pending and end the thread. Idempotent; never raises for the disk's sake.

        Args:
            timeout: seconds to go on trying when the disk refuses.

        Returns:
            Whether everything that was put, and every change, is on disk.
        """
        if self._thread is None:
            return True
        self._close_by = self._clock.monotonic() + timeout
        self._inbox.stop()
        self._thread.join(timeout + _BEAT_S)
        if self.pending or self.changing:
            emit(Event.STORE_FAILED, "close", uncommitted=self.pending, changes=self.changing)
        return not self._thread.is_alive() and not self.pending and not self.changing

    def _opened(self) -> StoreLoop:
        if self._loop is None:
            raise RuntimeError("the store is not started")
        return self._loop

    def _run(self, outbox: Outbox, loop: StoreLoop) -> None:
        try:
            stopping, measured = False, 0.0
            while not (stopping and self._finished(loop)):
                due = loop.due(self._clock.monotonic())
                wait_s = _BEAT_S if due is None else min(due, _BEAT_S)
                late = due is None or due > self._settings.commit_interval_s  # a metric may wait much longer
                work = self._inbox.take(wait_s, idle=late)
                stopping = work.stopping
                self._heartbeat = self._clock.monotonic()
                loop.turn(work, self._heartbeat)
                loop.keep(self._inbox.take_medium())
                if self._heartbeat >= measured + _MEASURE_S:
                    measured = self._heartbeat
                    self._flash = self._meter.status(measured)
                    self._oldest.look(outbox.queues.values())
        finally:
            self._inbox.close()
            outbox.close()

    def _finished(self, loop: StoreLoop) -> bool:
        now = self._clock.monotonic()
        return (loop.due(now) is None and not self._inbox.media) or now >= self._close_by
