"""The bounds of the store: bytes on disk, age, bytes in memory; and what goes first when one is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.blocks import STREAMS, Loss
from agent.errors import StoreBusy
from agent.events import Event, emit
from agent.store.footprint import beside
from agent.store.purge import clear_quarantine
from agent.store.reports import Cleared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.blocks import LossReason, Stream, Times
    from agent.store.chain import Piece
    from agent.store.queue import Epoch, StreamQueue
    from agent.store.settings import StoreSettings

_SPARED = 64
"""The file being written is spared while it is below this part of the cap: a few metrics hold nobody up."""


class Caps:
    """Gives up the oldest of the least important, whole files: metrics before results before alerts.

    A loss is noted, durably where the disk lets us, before the file goes: after a kill in between the file
    is removed at the next start.

    The bound of bytes is one of everything that is ours in the folder but the ballast: what SQLite keeps
    beside its files, state.db and damaged files leave less for segments; half of the bound in any case.

    Args:
        folder: the data folder.
        settings: the bounds.
        queues: the streams, the most important first.
        note: makes known losses durable, if it can.
    """

    def __init__(
        self,
        folder: Path,
        settings: StoreSettings,
        queues: Sequence[StreamQueue],
        note: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._queues = queues
        self._note = note

    def keep(self) -> None:
        """Evict until the bounds of bytes and age hold."""
        while self._over() and self.evict("the store is at its cap"):
            pass
        if self._settings.max_age_s:
            for queue in self._queues:
                while self._expired(queue):
                    if not self._evict(queue, 0, "it is too old"):
                        break

    @property
    def pressed(self) -> bool:
        """Whether half of what memory may hold is taken: waiting for room has gone on for long enough."""
        return self._in_memory() > self._settings.memory_bytes // 2

    def keep_memory(self) -> None:
        """Give up blocks in memory until their bound holds."""
        while self._in_memory() > self._settings.memory_bytes:
            for queue in reversed(self._queues):
                if (block := queue.shed()) is not None:
                    emit(Event.STORE_SHED, queue.stream, count=block.count, last=block.last)
                    break

    def evict(self, why: str, room_for: Stream = STREAMS[0]) -> bool:
        """Evict one file; say whether there was one.

        Args:
            why: what to say of it.
            room_for: nothing that is more important than this stream goes.
        """
        spare = self._settings.max_bytes // _SPARED
        least = reversed(self._queues[STREAMS.index(room_for) :])
        return any(self._evict(queue, spare, why) for queue in least)

    def clear(self, stream: Stream) -> Cleared:
        """Give up all that is on disk of a stream, as somebody wants; what was undelivered is told.

        A file that cannot go ends it.

        Raises:
            StoreBusy: the disk refuses.
        """
        queue = next(one for one in self._queues if one.stream == stream)
        cleared = clear_quarantine(self._folder, stream)
        while (found := queue.oldest(-1)) is not None:
            epoch, piece = found
            records, size, before = piece.last - piece.first + 1, piece.size, queue.lost["purged"]
            if not self._give_up(queue, epoch, piece, "it was purged", "purged"):
                break
            cleared += Cleared(records, queue.lost["purged"] - before, 1, size)
        return cleared

    def _over(self) -> bool:
        most = self._settings.max_bytes
        used = sum(queue.size() for queue in self._queues)
        return used > most // 2 and used + beside(self._folder) > most

    def _in_memory(self) -> int:
        return sum(queue.in_memory() for queue in self._queues)

    def _evict(self, queue: StreamQueue, spare: int, why: str) -> bool:
        found = queue.oldest(spare)
        if found is None:
            return False
        return self._give_up(queue, *found, why, "evicted")

    def _give_up(self, queue: StreamQueue, epoch: Epoch, piece: Piece, why: str, reason: LossReason) -> bool:
        if piece.last > epoch.acked:
            loss = self._loss(epoch, piece, reason)
            before = queue.lost[reason]
            queue.lose(epoch, loss)
            count = queue.lost[reason] - before
            emit(Event.STORE_EVICTED, queue.stream, count=count, why=why, first=loss.first, last=loss.last)
            self._note()
        return epoch.chain.evict(piece)

    def _loss(self, epoch: Epoch, piece: Piece, reason: LossReason) -> Loss:
        first = max(piece.first, epoch.acked + 1)
        begin = self._asked(lambda: epoch.chain.oldest_times(piece, first))
        end = self._asked(lambda: epoch.chain.newest_times(piece))
        return Loss(first, piece.last, reason, begin.from_ns if begin else None, end.to_ns if end else None)

    def _expired(self, queue: StreamQueue) -> bool:
        found = queue.oldest(0)
        if found is None:
            return False
        epoch, piece = found
        times = self._asked(lambda: epoch.chain.newest_times(piece))
        return times is not None and queue.builder.age_s - times.powered_s > self._settings.max_age_s

    @staticmethod
    def _asked(question: Callable[[], Times | None]) -> Times | None:
        try:
            return question()
        except StoreBusy:
            return None  # a file that cannot be read now still has its numbers in its name
