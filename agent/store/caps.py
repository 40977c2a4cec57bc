"""The bounds of the store: bytes on disk, age, bytes in memory; and what goes first when one is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.blocks import Loss
from agent.errors import StoreBusy
from agent.events import Event, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.blocks import Times
    from agent.store.ballast import Ballast
    from agent.store.chain import Piece
    from agent.store.queue import Epoch, StreamQueue
    from agent.store.settings import StoreSettings

_SPARED = 64
"""The file being written is spared while it is below this part of the cap: a few metrics hold nobody up."""


class Caps:
    """Gives up the oldest of the least important, whole files: metrics before results before alerts.

    A loss is noted, durably where the disk lets us, before the file goes: after a kill in between the file
    is removed at the next start.

    Args:
        settings: the bounds.
        ballast: not counted, and known to be ours.
        queues: the streams, the most important first.
        note: makes known losses durable, if it can.
    """

    def __init__(
        self,
        settings: StoreSettings,
        ballast: Ballast,
        queues: Sequence[StreamQueue],
        note: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._ballast = ballast
        self._queues = queues
        self._note = note

    def keep(self) -> None:
        """Evict until the bounds of bytes and age hold."""
        while sum(queue.size() for queue in self._queues) > self._settings.max_bytes:
            if not self.evict("the store is at its cap"):
                break
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

    def evict(self, why: str) -> bool:
        """Evict one file; say whether there was one."""
        spare = self._settings.max_bytes // _SPARED
        return any(self._evict(queue, spare, why) for queue in reversed(self._queues))

    def _in_memory(self) -> int:
        return sum(queue.in_memory() for queue in self._queues)

    def _evict(self, queue: StreamQueue, spare: int, why: str) -> bool:
        found = queue.oldest(spare)
        if found is None:
            return False
        epoch, piece = found
        if piece.last > epoch.acked:
            loss = self._loss(epoch, piece)
            before = queue.lost["evicted"]
            queue.lose(epoch, loss)
            count = queue.lost["evicted"] - before
            emit(Event.STORE_EVICTED, queue.stream, count=count, why=why, first=loss.first, last=loss.last)
            self._note()
        return epoch.chain.evict(piece)

    def _loss(self, epoch: Epoch, piece: Piece) -> Loss:
        first = max(piece.first, epoch.acked + 1)
        begin = self._asked(lambda: epoch.chain.oldest_times(piece, first))
        end = self._asked(lambda: epoch.chain.newest_times(piece))
        return Loss(
            first, piece.last, "evicted", begin.from_ns if begin else None, end.to_ns if end else None
        )

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
