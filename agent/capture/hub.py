"""Where the thread that reads a source and the thread that serves its readers meet, under one lock.

Packets are small, and a reader has at most a few under way: they are sent by whichever thread has the news,
and never waited for. A reader that does not take them loses its connection.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.capture import protocol
from agent.capture.ring import SPARE, Entry, Ring, Taken
from agent.capture.slots import Slots
from agent.errors import MessageInvalid
from agent.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.errors import AgentError, InputRejected
    from agent.processes.ipc import Channel
    from agent.processes.message import Message
    from agent.types import Array, Frame

_LOOK_S = 0.25
"""Whoever waits here looks at least so often whether it is to stop."""


@dataclass(slots=True)
class _Guest:
    """A reader's connection.

    Attributes:
        token: of its last join; None before the first.
        greeted: whether it knows that the source is open.
        asked: whether it waits for a frame.
        told: the number of the last outage that it knows of.
        known: by slot, the version of the memory that it has.
        quiet: whether the serving thread does not listen to it, but for its end: it has the newest frame, so
            what it asks for is not there yet, and whoever puts the next one hears it.
    """

    channel: Channel
    token: int | None = None
    greeted: bool = False
    asked: bool = False
    told: int = 0
    known: dict[int, int] = field(default_factory=dict)
    quiet: bool = False


class Hub:
    """The ring, its memory, and the readers' connections.

    Args:
        wanted: the readers that a recording waits for.

    Attributes:
        listen: has the serving thread listen to a connection or not; it always hears its end.
    """

    def __init__(self, wanted: frozenset[str]) -> None:
        self.listen: Callable[[Channel, bool], None] = lambda _channel, _whether: None
        self._changed = threading.Condition()
        slots = len(wanted) + SPARE
        self._ring = Ring(slots)
        self._ring.wanted = wanted
        self._slots = Slots(slots)
        self._guests: dict[str, _Guest] = {}
        self._open = False
        self._outage = 0
        self._away: Message | None = None
        self._ended = protocol.Ended()
        self._waits = False

    def connect(self, name: str, channel: Channel) -> None:
        """Let a reader in; one that was there under this name is gone."""
        with self._changed:
            self._part(name)
            self._guests[name] = _Guest(channel)

    def part(self, name: str, channel: Channel) -> None:
        """A reader's connection is closed: what it held is free."""
        with self._changed:
            if name in self._guests and self._guests[name].channel is channel:
                self._part(name)
                self._changed.notify_all()

    def _part(self, name: str) -> None:
        self._ring.leave(name)
        self._guests.pop(name, None)

    def want(self, wanted: frozenset[str]) -> None:
        """These are the readers that a recording waits for, from now on."""
        with self._changed:
            self._ring.wanted = wanted
            self._changed.notify_all()

    def hear(self, name: str, packet: bytes) -> None:
        """Take in what a reader says.

        Raises:
            MessageInvalid: it breaks the protocol.
        """
        with self._changed:
            guest = self._guests[name]
            self._hear(name, guest, packet)
            self._offer(name, guest)
            if self._waits:
                self._changed.notify_all()

    # What the reading thread calls.

    def gather(self, stop: threading.Event, *, all_of_them: bool = False) -> int | None:
        """Wait for a reader, or for all that are wanted; give where to begin, or None after a stop."""
        with self._changed:
            while not stop.is_set():
                lowest = self._ring.lowest
                if lowest is not None and (self._ring.here or not all_of_them):
                    return lowest
                self._wait(_LOOK_S)
        return None

    def _wait(self, timeout_s: float) -> None:
        self._waits = True
        self._changed.wait(timeout_s)
        self._waits = False

    @property
    def next(self) -> int:
        """The position of the frame that comes next."""
        return self._ring.next

    def opened(self, start: int, *, live: bool) -> None:
        """The source is open; its next frame is number ``start``."""
        with self._changed:
            self._open, self._away = True, None
            self._ring.open(start, live=live)
            for guest in self._guests.values():
                self._greet(guest)

    def lose(self, error: AgentError) -> None:
        """The source is gone, or still is: each reader is told once of each time that it is."""
        self._stay_away(protocol.lost(error))

    def refuse(self, error: AgentError) -> None:
        """The source can never be opened: each reader is told."""
        self._stay_away(protocol.refused(error))

    def _stay_away(self, message: Message) -> None:
        with self._changed:
            if self._away is None:
                self._outage += 1
            self._open, self._away = False, message
            for guest in self._guests.values():
                self._greet(guest)

    def end(self, remark: str) -> None:
        """The source has given its last frame: each reader is told after that."""
        with self._changed:
            self._ring.ended = True
            self._ended = protocol.Ended(remark=remark[:4000])
            self._open, self._away = True, None
            for name, guest in self._guests.items():
                if guest.quiet:
                    self._listen(name, guest)
                self._greet(guest)
                self._offer(name, guest)

    def room(self, timeout_s: float, beat: Callable[[Phase], None]) -> int | None:
        """Give a slot for the next frame; a recording waits for one, a live source does not."""
        with self._changed:
            slot = self._ring.claim()
            if slot is None and not self._ring.live:
                beat(Phase.WAIT)
                self._wait(timeout_s)
                slot = self._ring.claim()
            return slot

    def lend(self, slot: int | None) -> Array | None:
        """Give memory for the next frame to a source that can fill it itself, as ``Slots.lend`` does."""
        return self._slots.lend(slot)

    def publish(self, frame: Frame, slot: int | None) -> None:
        """Write a frame into its slot, and tell whoever waits for one. Without a slot all have missed it.

        Raises:
            InputRejected: it cannot be shared.
        """
        if slot is None:
            with self._changed:
                self._ring.skip()
            return
        data = frame.data
        told = protocol.shown(slot, frame.captured_ns, data.dtype.name, data.shape, frame.origin)
        self._slots.write(slot, data)
        self._put(Entry(frame.seq, slot, told))

    def reject(self, no: int, error: InputRejected) -> None:
        """Tell each reader of a frame that cannot be read."""
        self._put(Entry(no, None, protocol.unreadable(error)))

    def _put(self, entry: Entry) -> None:
        with self._changed:
            self._ring.put(entry)
            for name, guest in self._guests.items():
                if guest.quiet:
                    self._listen(name, guest)
                self._offer(name, guest)

    def close(self) -> None:
        """Let go of the memory."""
        with self._changed:
            self._slots.close()

    # Under the lock.

    def _hear(self, name: str, guest: _Guest, packet: bytes) -> None:
        join = protocol.asked(packet)
        if join is not None:
            guest.token, guest.greeted, guest.asked = join.token, False, False
            self._ring.join(name, join.start)
            self._be_quiet(guest, whether=False)
            self._greet(guest)
        elif guest.greeted:
            self._ring.release(name)
            guest.asked = True

    def _listen(self, name: str, guest: _Guest) -> None:
        """Hear what a quiet reader has said; if that is nothing, have the serving thread listen to it."""
        packet = guest.channel.receive()
        try:
            if packet:
                self._hear(name, guest, packet)
                return
        except MessageInvalid:
            guest.channel.hang_up()
        self._be_quiet(guest, whether=False)

    def _be_quiet(self, guest: _Guest, *, whether: bool) -> None:
        if guest.quiet is not whether:
            guest.quiet = whether
            self.listen(guest.channel, not whether)

    def _greet(self, guest: _Guest) -> None:
        """Tell a reader how the source is, if it does not know."""
        if guest.token is None:
            return
        if self._open and not guest.greeted:
            guest.greeted = True
            self._send(guest, protocol.Opened(token=guest.token, live=self._ring.live))
        elif self._away is not None and guest.told != self._outage:
            guest.told = self._outage
            self._dismiss(guest, self._away)

    def _offer(self, name: str, guest: _Guest) -> None:
        if not (guest.greeted and guest.asked):
            return
        taken = self._ring.take(name)
        if taken is not None:
            guest.asked = False
            self._be_quiet(guest, whether=taken.entry.no + 1 == self._ring.next and not self._ring.ended)
            self._show(guest, taken)
        elif self._ring.ended:
            missed = self._ring.behind(name)
            self._dismiss(guest, self._ended.model_copy(update={"missed": missed}))

    def _show(self, guest: _Guest, taken: Taken) -> None:
        slot, packet = taken.entry.slot, taken.entry.told
        if taken.missed:
            packet = protocol.missed(packet, taken.missed)
        try:
            if slot is None or guest.known.get(slot) == self._slots.versions[slot]:
                guest.channel.send(packet)
            else:
                guest.known[slot] = self._slots.versions[slot]
                guest.channel.send_with(packet, [self._slots.descriptor(slot)])
        except OSError:
            _hang_up(guest)

    def _dismiss(self, guest: _Guest, message: Message) -> None:
        """Tell it what keeps it from frames until it joins again."""
        guest.token, guest.greeted, guest.asked = None, False, False
        self._be_quiet(guest, whether=False)
        self._send(guest, message)

    @staticmethod
    def _send(guest: _Guest, message: Message) -> None:
        try:
            guest.channel.send(protocol.packed(message))
        except OSError:
            _hang_up(guest)


def _hang_up(guest: _Guest) -> None:
    """It is gone, or does not read what it is sent: the serving thread will find it closed."""
    guest.channel.hang_up()
