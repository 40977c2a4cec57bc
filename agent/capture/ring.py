"""Which slot of the ring holds which frame, who reads it, and which comes next: without memory or sockets.

A frame is given to each reader once. A live source never waits: its readers get the newest frame, and are
told how many they missed. A recording's frames stay until each reader that is wanted has had them, so it
waits for the slowest, and for one that is started again. A slot that a reader holds is never written.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

SPARE = 2
"""Slots besides one for each reader: one is written, one holds the newest frame."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame in a slot; or with None for the slot what is told in place of one.

    Attributes:
        no: its position in the source, from 0.
        told: what readers are told of it.
    """

    no: int
    slot: int | None
    told: bytes


class Taken(NamedTuple):
    """An entry that a reader gets, and how many frames before it that reader did not get."""

    entry: Entry
    missed: int


@dataclass(slots=True)
class _Reader:
    next: int
    held: int | None = None


class Ring:
    """The slots of one source.

    Args:
        slots: how many there are: ``SPARE`` more than readers.

    Attributes:
        live: whether frames are lost that are not read in time.
        wanted: the readers that a recording waits for.
        next: the position of the frame that comes next.
        ended: whether none will come.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._entries: deque[Entry] = deque()
        self._readers: dict[str, _Reader] = {}
        self._opened = False
        self.live = False
        self.wanted: frozenset[str] = frozenset()
        self.next = 0
        self.ended = False

    def open(self, start: int, *, live: bool) -> None:
        """The source is open, for the first time or again; its next frame is number ``start``."""
        self.live = live
        if not self._opened and live:
            for reader in self._readers.values():
                reader.next = start
        if not live and start < self.next:
            self._entries.clear()
        self._opened = True
        self.next = start

    def join(self, name: str, start: int) -> None:
        """Let a reader begin, or go on after the source was lost.

        Args:
            name: whose place it takes, if there is one.
            start: the position in a recording that it wants first; a live source's next frame is its first.
        """
        reader = self._readers.get(name)
        if reader is None:
            self._readers[name] = _Reader(self.next if self.live else start)
            return
        reader.held = None
        if not self.live:
            reader.next = start

    def leave(self, name: str) -> None:
        """A reader is gone; what it held is free."""
        self._readers.pop(name, None)

    @property
    def here(self) -> bool:
        """Whether there are all those that are wanted, and at least one."""
        return bool(self.wanted) and self.wanted <= self._readers.keys()

    @property
    def lowest(self) -> int | None:
        """The lowest position that a reader wants next; None when there is none."""
        return min((reader.next for reader in self._readers.values()), default=None)

    def claim(self) -> int | None:
        """Give a slot that nobody reads, for the next frame; None while each is needed.

        It is the first one of them: those that are used again soon are in the processor's caches.
        """
        while self._oldest_is_done():
            self._entries.popleft()
        if len(self._entries) >= self._slots:
            return None
        used = {entry.slot for entry in self._entries}
        used |= {reader.held for reader in self._readers.values()}
        return next((slot for slot in range(self._slots) if slot not in used), None)

    def _oldest_is_done(self) -> bool:
        if self.live or not self._entries or not self.here:
            return False
        return all(self._readers[name].next > self._entries[0].no for name in self.wanted)

    def put(self, entry: Entry) -> None:
        """Add the frame that comes next; of a live source only the newest stays."""
        if self.live:
            self._entries.clear()
        self._entries.append(entry)
        self.next = entry.no + 1

    def skip(self) -> None:
        """A live source's frame came, and there was no slot for it: each reader has missed it."""
        self.next += 1

    def release(self, name: str) -> None:
        """A reader does not need what it has got any more."""
        self._readers[name].held = None

    def take(self, name: str) -> Taken | None:
        """Give a reader what is next for it, which it holds from now on; None when nothing is there yet."""
        reader = self._readers[name]
        entry = self._next_for(reader)
        if entry is None:
            return None
        missed = entry.no - reader.next
        reader.next, reader.held = entry.no + 1, entry.slot
        return Taken(entry, missed)

    def behind(self, name: str) -> int:
        """How many frames came that a reader has not got; those that are there still are among them."""
        return max(0, self.next - self._readers[name].next)

    def _next_for(self, reader: _Reader) -> Entry | None:
        if self.live:
            newest = self._entries[-1] if self._entries else None
            return newest if newest is not None and newest.no >= reader.next else None
        for entry in self._entries:
            if entry.no >= reader.next:
                return entry
        return None
