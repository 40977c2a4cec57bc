"""The outbox: records wait here, on disk, until the collector has stored them.

Records get their sequence number, from 1, in an *epoch* of their stream: one opening of the outbox, named by
64 random bits. Earlier epochs are read only, and are drained first. Reading deletes nothing; an
acknowledgement first moves the cursor, durably, and then unlinks the segments below it: the other order loses
track after a power cut. What must be given up, because of a cap or because the disk refuses, is noted and
declared.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from agent.blocks import STREAMS
from agent.errors import DiskFull, FolderUnusable, StoreBusy
from agent.events import Event, emit
from agent.store.ballast import Ballast
from agent.store.builder import BlockBuilder
from agent.store.caps import Caps
from agent.store.chain import SegmentChain
from agent.store.disk import Disk
from agent.store.media import MediaShelf
from agent.store.queue import Epoch, StreamQueue
from agent.store.settings import StoreSettings
from agent.store.status import StoreStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agent.blocks import Lease, Position, Stream
    from agent.clock import Clock
    from agent.slots import Change

_MOST_EVICTIONS = 3
"""In one commit: where even that makes no room, somebody else takes it as fast as we make it."""


class Outbox:
    """The store's core. For one thread; closing does not flush.

    It always opens: while the disk refuses it works in memory, and ``attach`` tries again.

    Args:
        folder: the data folder; ``state.db`` and ``segments/`` are made in it.
        clock: dates records and measures how long they wait.
        settings: how records are gathered and laid out.
        take: makes sure that the folder is held, before anything in it is touched (``DataFolder.take``).

    Raises:
        FolderUnusable: a file in the folder is of another version, or not ours.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        settings: StoreSettings | None = None,
        take: Callable[[], None] = lambda: None,
    ) -> None:
        self._take = take
        self._settings = (settings or StoreSettings()).fitted(_size_of_disk(folder))
        self._clock = clock
        self.epoch = secrets.token_hex(8)
        self._disk = Disk(folder, self._settings)
        self._ballast = Ballast(folder, self._settings.ballast_bytes)
        self.media = MediaShelf(folder, self._settings.media_bytes)
        self.queues: dict[Stream, StreamQueue] = {stream: self._queue(stream) for stream in STREAMS}
        self.caps = Caps(folder, self._settings, list(self.queues.values()), self._note)
        self.refusing = True
        """Whether the disk refuses: the outbox works in memory."""
        self._problem: StoreBusy | None = None
        try:
            self.attach()
        except StoreBusy as error:
            self._problem = error

    def attach(self) -> None:
        """Open the disk's side: take up what earlier runs left there. Does nothing when it is open.

        Raises:
            StoreBusy: the disk refuses for now.
            FolderUnusable: a file in the folder is of another version, or not ours.
        """
        if self._disk.open:
            return
        self._take()
        try:
            powered_s = self._disk.attach(self.epoch, self.queues)
        except StoreBusy as error:  # SQLite says of a full disk many things, where it cannot even begin
            if not (isinstance(error, DiskFull) and self._give_way()) and not self._ballast.give_up():
                raise
            powered_s = self._disk.attach(self.epoch, self.queues)
        for queue in self.queues.values():
            queue.builder.add_age(powered_s)
        self.media.begin()
        self._ballast.take()
        self.refusing = False

    @property
    def attached(self) -> bool:
        """Whether the disk's side is open."""
        return self._disk.open

    @property
    def problem(self) -> StoreBusy | None:
        """Why the disk's side did not open at first."""
        return self._problem

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> int:
        """Take records into memory; give the last one's sequence number.

        Each gets ``wall_ns``, the wall time of its capture in ns since 1970, worked out from ``captured_ns``.

        Args:
            records: JSON objects.
            ledgers: each pipeline's ledger as of the last record; it replaces an earlier one.
            stream: where they belong.
        """
        return self.queues[stream].builder.add(records, ledgers)

    def due(self, now: float) -> float | None:
        """Seconds from ``now`` (monotonic) until ``flush`` should be called; None when nothing waits."""
        waits = [wait for queue in self.queues.values() if (wait := queue.builder.due(now)) is not None]
        return min(waits, default=None)

    def flush(self, now: float | None = None) -> int:
        """Make durable what was put and is due, or everything; give how many records of this epoch are.

        Args:
            now: the monotonic time; None: do not ask what is due.

        Raises:
            StoreBusy: the disk refuses for now. What is not committed stays in memory, as far as it has
                room: the oldest of the least important is given up, and declared. Call again.
            FolderUnusable: a segment is damaged: likewise, the next call writes to another one. Or another
                agent has taken the folder meanwhile.
        """
        try:
            self.attach()
            for queue in self.queues.values():
                if now is None or queue.builder.due(now) == 0.0:
                    self._flush(queue)
            self.caps.keep()
            self._note()
        except (StoreBusy, FolderUnusable):
            self.refusing = True
            for queue in self.queues.values():
                queue.builder.close()
            self.caps.keep_memory()
            raise
        self.refusing = False
        self._ballast.take()
        return sum(queue.live.chain.last for queue in self.queues.values())

    def shed(self) -> None:
        """While the disk refuses: keep what waits in memory within its bound."""
        if self.refusing:
            self.caps.keep_memory()

    @property
    def uncommitted(self) -> int:
        """Records that were put and are neither durable, nor delivered, nor given up."""
        return sum(queue.uncommitted for queue in self.queues.values())

    def lease(self, after: Position | None, max_bytes: int, stream: Stream = "result") -> Lease | None:
        """Give blocks to send; they stay in the store. Committed ones, and others while the disk refuses.

        Args:
            after: where the last lease ended. None, or a place unknown here: from the oldest that is not
                acknowledged.
            max_bytes: about how much; one block is given whatever its size.
            stream: which stream.

        Returns:
            Blocks of one epoch, or only what is lost of it; None when nothing follows.

        Raises:
            StoreBusy: the disk refuses for now.
        """
        return self.queues[stream].lease(after, max_bytes, from_memory=self.refusing)

    def ack(self, epoch: str, upto: int, stream: Stream = "result") -> int:
        """Note that the collector has stored ``epoch`` up to ``upto``; ``settle`` makes it durable.

        What was never given out here cannot be acknowledged: such a message is ignored, as is an older one.
        Beyond the end of an epoch that is over it means the end: a restored disk has less than was sent.

        Returns:
            How many records are newly acknowledged.
        """
        return self.queues[stream].ack(epoch, upto)

    def lose(self, epoch: str, first: int, last: int, stream: Stream = "result") -> None:
        """Give up records that no broker takes: they are declared as ``oversized``."""
        queue = self.queues[stream]
        if (entry := queue.epochs.get(epoch)) is not None:
            queue.give_up(entry, first, last)

    def settle(self) -> None:
        """Make acknowledgements and losses durable; then unlink what is delivered.

        Raises:
            StoreBusy: the disk refuses for now; call again.
        """
        self.attach()
        self._disk.settle(self.queues)

    def change(self, change: Change, wall_ns: int, *, synced: bool | None) -> tuple[int, str]:
        """Make a change of the models' rows durable; see ``State.change``. A full disk costs the ballast.

        Raises:
            StoreBusy: the disk refuses for now; nothing has changed. Call again.
        """
        self.attach()
        try:
            return self._disk.change(change, wall_ns, synced=synced)
        except DiskFull:
            if not self._give_way():
                raise
        return self._disk.change(change, wall_ns, synced=synced)

    def status(self) -> StoreStatus:
        """Where the store stands."""
        return StoreStatus(
            epoch=self.epoch,
            memory=self.refusing,
            streams={queue.stream: queue.status() for queue in self.queues.values()},
            cap=self._settings.max_bytes,
        )

    def close(self) -> None:
        """Close the files. Idempotent. What was not flushed is gone."""
        for queue in self.queues.values():
            queue.close()
        self._disk.end(self.epoch, {stream: queue.live.chain.last for stream, queue in self.queues.items()})
        self._disk.close()

    def _queue(self, stream: Stream) -> StreamQueue:
        settings = self._settings
        intervals = {"alert": 0.0, "result": settings.commit_interval_s, "metric": settings.metric_interval_s}
        chain = SegmentChain(
            self._disk.segments, stream, self.epoch, settings.segment_limit, settings.log_pages
        )
        builder = BlockBuilder(self._clock, settings, interval_s=intervals[stream])
        return StreamQueue(stream, Epoch(self.epoch, chain), builder)

    def _flush(self, queue: StreamQueue) -> None:
        """Commit a stream; a full disk costs the ballast, and when memory fills up the oldest on disk."""
        for _ in range(_MOST_EVICTIONS):
            try:
                self._commit(queue)
            except DiskFull:
                if not (self._give_way() or self._make_room(queue)):
                    raise
            else:
                return
        self._commit(queue)

    def _give_way(self) -> bool:
        """On a full disk: let media go, and then the ballast."""
        self.media.begin()
        return self.media.give_way() or self._ballast.give_up()

    def _make_room(self, queue: StreamQueue) -> bool:
        """On a full disk: evict something that is no more important than what has to be written."""
        return self.caps.pressed and self.caps.evict("the disk is full", queue.stream)

    def _commit(self, queue: StreamQueue) -> None:
        if queue.skips:  # else a crash would make what was delivered from memory look lost
            self._disk.settle(self.queues)
        queue.flush()

    def _note(self) -> None:
        """Make known losses durable; a disk that refuses is told of them later."""
        if not self._disk.open:
            return
        try:
            self._disk.note(self.queues)
        except (StoreBusy, FolderUnusable) as error:
            emit(Event.STORE_FAILED, "note losses", problem=error)


def _size_of_disk(folder: Path) -> int:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 1 << 60  # nobody can say; the cap of the settings holds
    return disk.f_blocks * disk.f_frsize
