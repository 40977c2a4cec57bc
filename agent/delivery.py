"""From the store to the collector: leases go out as batches, acknowledgements come back. No I/O of its own.

One ``Delivery`` serves one stream. It is driven by events, all in the supervisor's main thread: the store's
(``on_committed``, ``on_leased``), the link's, and a ``tick`` about once a second. The store answers a lease
later; at most one is asked for at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.blocks import Position
from agent.errors import LinkLost, MessageInvalid
from agent.events import Event, emit
from agent.link import ack, batch
from agent.link.window import Window

if TYPE_CHECKING:
    from agent.blocks import Lease, Stream
    from agent.link.settings import LinkMessage, LinkPublished, LinkUp

BATCH_BYTES = 96 << 10
"""Bytes of blocks that go into one batch; a single larger block makes a larger batch."""
_HEADER_BYTES = 4 << 10
"""Set aside for topic and header when a broker's limit is small."""
_EPOCHS = 256
"""Epochs whose last acknowledgement is remembered."""
_RECHECK_S = 10.0
"""How long to believe that the store has nothing: it also says so when it cannot read for now."""
_PATIENCE = 6
"""How many times longer to wait for an acknowledgement while the broker itself has not confirmed."""


class Outbox(Protocol):
    """What the delivery needs of the store. Both return at once; they are carried out in this order."""

    def lease(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        """Ask for blocks after ``after``, or after what is acknowledged; at least one, else ``max_bytes``.

        The answer comes as an event and is passed to ``Delivery.on_leased``.
        """

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        """All records of ``epoch`` up to ``upto`` are stored by the collector. Unknown epochs do no harm."""


class Uplink(Protocol):
    """What the delivery needs of the link."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Queue a message and give its token; raises LinkLost or MessageInvalid."""

    def reconnect(self, problem: str) -> None:
        """Drop a connection that does not do its work, and connect again."""


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Counts since the start.

    Attributes:
        sent: batches published, those that were sent again included.
        resent: batches published again.
        in_flight: batches on their way now.
        acked: the collector's last acknowledgement that was news.
        blocked: a block is larger than what the broker takes: nothing moves until that changes.
    """

    sent: int
    resent: int
    in_flight: int
    acked: Position | None
    blocked: bool


class Delivery:
    """Keeps the window full while the link is up, and sends again what stays unanswered.

    Args:
        results_topic: where batches go.
        ack_topic: where the collector's acknowledgements come from.
        window: a fresh one.
    """

    def __init__(
        self,
        store: Outbox,
        link: Uplink,
        *,
        device: str,
        stream: Stream,
        results_topic: str,
        ack_topic: str,
        window: Window | None = None,
    ) -> None:
        self._store = store
        self._link = link
        self._device = device
        self._stream = stream
        self._results_topic = results_topic
        self._ack_topic = ack_topic
        self._window = Window() if window is None else window
        self._batch_bytes = 0
        self._online = False
        self._asked = False
        self._stale = False
        self._dry_until = 0.0
        self._blocked = False
        self._unconfirmed: set[int] = set()
        self._acked: OrderedDict[str, int] = OrderedDict()
        self._furthest: OrderedDict[str, int] = OrderedDict()
        self._last_ack: Position | None = None
        self._sent = 0
        self._resent = 0

    @property
    def status(self) -> DeliveryStatus:
        """Where it stands."""
        return DeliveryStatus(self._sent, self._resent, len(self._window), self._last_ack, self._blocked)

    def on_link_up(self, up: LinkUp, now: float) -> None:
        """The link is up: begin again after what is acknowledged."""
        self._online = True
        self._blocked = False
        self._unconfirmed.clear()
        self._window.resize(up.receive_max)
        self._batch_bytes = max(1, min(BATCH_BYTES, up.max_packet - _HEADER_BYTES))
        self._restart()
        self._pump(now)

    def on_link_down(self) -> None:
        """The link is down: what was on its way may be lost."""
        self._online = False
        self._unconfirmed.clear()
        self._restart()

    def on_published(self, published: LinkPublished, now: float) -> None:
        """The broker has taken over a message: the link does move."""
        if published.token in self._unconfirmed:
            self._unconfirmed.discard(published.token)
            self._window.progressed(now)

    def on_message(self, message: LinkMessage, now: float) -> None:
        """Take an acknowledgement; messages of other topics are not ours."""
        if message.topic != self._ack_topic:
            return
        try:
            document = ack.decode(message.payload, None)
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, message.topic, problem=error)
            return
        if document.device != self._device:
            emit(Event.MESSAGE_REFUSED, message.topic, problem=f"it acknowledges {document.device!r}")
            return
        epochs = document.streams.get(self._stream, {})
        moved = [self._take(epoch, stored.upto, now) for epoch, stored in epochs.items()]
        if not any(moved):
            self._window.hurry()
        # A retained message is old: it asked before this connection began.
        if document.again and not message.retain and self._online and len(self._window):
            emit(Event.BATCH_RESENT, self._stream, count=self._restart(), reason="the collector asks for it")
        self._pump(now)

    def on_committed(self, now: float) -> None:
        """The store has new records."""
        self._dry_until = now
        self._pump(now)

    def on_leased(self, lease: Lease | None, now: float) -> None:
        """The store's answer; None: there is nothing to send."""
        self._asked = False
        if self._stale:
            self._stale = False
        elif lease is None:
            self._dry_until = now + _RECHECK_S
        elif self._online and self._send(lease):
            self._sent += 1
            self._window.sent(lease, now)
        else:
            return  # the next tick, or the link, asks again
        self._pump(now)

    def tick(self, now: float) -> None:
        """Look after batches that nobody answers."""
        if not self._online:
            return
        patience = _PATIENCE if self._unconfirmed else 1
        if self._window.overdue(now, patience):
            if self._unconfirmed:
                self._link.reconnect("the broker confirms nothing")
            self._window.narrow()
            emit(Event.BATCH_RESENT, self._stream, count=self._restart(), reason="no acknowledgement")
        self._pump(now)

    def _take(self, epoch: str, upto: int, now: float) -> bool:
        """Take one epoch's acknowledgement; say whether it moved the window."""
        moved = self._window.acknowledged(epoch, upto, now)
        # What moves the window is passed on although it is known: the store may have had to refuse it once.
        if moved or upto > self._acked.get(epoch, 0):
            _remember(self._acked, epoch, upto)
            self._last_ack = Position(epoch, upto)
            self._store.ack(self._stream, epoch, upto)
        return moved

    def _restart(self) -> int:
        """Begin again after what is acknowledged; a lease that is asked for no longer fits."""
        self._stale = self._asked
        self._dry_until = 0.0
        return self._window.reset()

    def _pump(self, now: float) -> None:
        """Ask for a lease if there is room for it and reason to."""
        wanted = self._online and not (self._asked or self._blocked) and now >= self._dry_until
        if wanted and (room := self._window.room):
            self._asked = True
            self._store.lease(self._stream, self._window.next_after(), min(room, self._batch_bytes), 0)

    def _send(self, lease: Lease) -> bool:
        """Publish a batch; False when that must wait."""
        payload = batch.encode(self._device, lease)
        try:
            self._unconfirmed.add(self._link.publish(self._results_topic, payload))
        except LinkLost:
            return False
        except MessageInvalid as error:
            self._blocked = True
            emit(Event.BATCH_REFUSED, self._stream, problem=error)
            return False
        if lease.last <= self._furthest.get(lease.epoch, 0):
            self._resent += 1
        else:
            _remember(self._furthest, lease.epoch, lease.last)
        return True


def _remember(table: OrderedDict[str, int], epoch: str, seq: int) -> None:
    table[epoch] = seq
    table.move_to_end(epoch)
    if len(table) > _EPOCHS:
        table.popitem(last=False)
