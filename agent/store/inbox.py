"""What other threads ask of the store's thread, gathered until it turns.

Waking a thread costs more than storing a record, so a put wakes it only when nothing else soon will.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.blocks import Position, Stream
    from agent.errors import AgentError
    from agent.media import Medium
    from agent.slots import Change
    from agent.store.reports import Cleared

_MOST_ACKS = 1024
"""Acknowledgements come from outside, and come again: what is beyond this can wait for the next one.
A message brings one of each stream and epoch that it lists: 3 times 128 at the most."""
MOST_MEDIA, MOST_MEDIA_BYTES = 64, 32 << 20
"""Snapshots and clips that wait for the disk, and their bytes; further ones are not taken."""


@dataclass(frozen=True, slots=True)
class Put:
    """Records to store, and the ledgers as of the last of them."""

    records: Sequence[Mapping[str, Any]]
    ledgers: Mapping[str, Mapping[str, Any]]
    stream: Stream = "result"


@dataclass(frozen=True, slots=True)
class Want:
    """A lease that is asked for; ``token`` comes back with the answer."""

    stream: Stream
    after: Position | None
    max_bytes: int
    token: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Records that no broker takes."""

    stream: Stream
    epoch: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A change of the models' rows; ``token`` comes back when it is durable.

    ``wall_ns`` is the wall clock when it was asked for, and ``synced`` whether that is to be believed.
    """

    change: Change
    token: int
    wall_ns: int
    synced: bool | None


@dataclass(frozen=True, slots=True)
class Clear:
    """What is to be deleted; ``done`` is told what went, or why it could not, in the taker's thread.

    ``wall_ns`` and ``synced`` are as of ``Asked``.
    """

    streams: tuple[Stream, ...]
    media: bool
    done: Callable[[Mapping[str, Cleared] | AgentError], None]
    wall_ns: int
    synced: bool | None


@dataclass(slots=True)
class Work:
    """What there is to do in one turn; ``acks`` holds the highest of each epoch."""

    puts: list[Put] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    acks: dict[tuple[Stream, str], int] = field(default_factory=dict)
    given_up: list[GiveUp] = field(default_factory=list)
    changes: list[Asked] = field(default_factory=list)
    clears: list[Clear] = field(default_factory=list)
    stopping: bool = False


class Inbox:
    """Requests of any thread to one taker.

    Args:
        enough: so many records in waiting are worth waking the taker for.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._ready = threading.Condition()
        self._work = Work()
        self._media: deque[Medium] = deque()
        self._media_bytes = 0
        self._idle = True
        self._woken = False
        self.queued = 0
        """Records that were put and not taken yet."""
        self.accepted = 0
        """Records ever put."""
        self.asked = 0
        """Changes ever asked for."""

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        """Queue records; an alert wakes the taker at once.

        Raises:
            RuntimeError: the store is closed; nobody would store them.
        """
        with self._ready:
            if self._work.stopping:
                raise RuntimeError("put after close")
            self._work.puts.append(Put(records, ledgers, stream))
            self.accepted += len(records)
            self.queued += len(records)
            if self._idle or self.queued >= self._enough or stream == "alert":
                self._wake()

    def want(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        """Queue a request for a lease."""
        with self._ready:
            self._work.wants.append(Want(stream, after, max_bytes, token))
            self._wake()

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        """Queue an acknowledgement."""
        with self._ready:
            acks = self._work.acks
            place = (stream, epoch)
            if place in acks or len(acks) < _MOST_ACKS:
                acks[place] = max(upto, acks.get(place, 0))
                self._wake()

    def give_up(self, stream: Stream, epoch: str, first: int, last: int) -> None:
        """Queue the loss of records that no broker takes."""
        with self._ready:
            self._work.given_up.append(GiveUp(stream, epoch, first, last))
            self._wake()

    def change(self, asked: Asked) -> None:
        """Queue a change.

        Raises:
            RuntimeError: the store is closed; nobody would write it.
        """
        with self._ready:
            if self._work.stopping:
                raise RuntimeError("change after close")
            self._work.changes.append(asked)
            self.asked += 1
            self._wake()

    def clear(self, clear: Clear) -> None:
        """Queue a deletion."""
        with self._ready:
            self._work.clears.append(clear)
            self._wake()

    def keep(self, medium: Medium) -> bool:
        """Queue a snapshot or a clip, unless too many wait; then it stays the caller's."""
        with self._ready:
            full = len(self._media) >= MOST_MEDIA or self._media_bytes + medium.size > MOST_MEDIA_BYTES
            if full or self._work.stopping:
                return False
            self._media.append(medium)
            self._media_bytes += medium.size
            self._wake()
            return True

    def take_medium(self) -> Medium | None:
        """Give the oldest medium: they are taken one by one, since each keeps the disk busy for a while."""
        with self._ready:
            if not self._media:
                return None
            medium = self._media.popleft()
            self._media_bytes -= medium.size
            return medium

    @property
    def media(self) -> int:
        """Media that wait."""
        with self._ready:
            return len(self._media)

    def close(self) -> None:
        """Let go of media that nobody will take."""
        while (medium := self.take_medium()) is not None:
            os.close(medium.fd)

    def stop(self) -> None:
        """Ask the taker to finish; nothing can be put from now on."""
        with self._ready:
            self._work.stopping = True
            self._wake()

    def take(self, wait_s: float, *, idle: bool) -> Work:
        """Give what was asked for since the last time; wait up to ``wait_s`` for something pressing.

        Args:
            wait_s: seconds.
            idle: whether a single record is pressing, since nothing else will wake the taker in time.
        """
        with self._ready:
            self._idle = idle
            pressing = self._woken or self._media or (idle and self._work.puts)
            if not pressing and wait_s > 0:
                self._ready.wait(wait_s)
            work, self._work = self._work, Work(stopping=self._work.stopping)
            self.queued = 0
            self._woken = self._idle = False
        return work

    def _wake(self) -> None:
        self._woken = True
        self._ready.notify()
