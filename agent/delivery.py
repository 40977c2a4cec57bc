"""From the store to the collector: leases go out as batches, acknowledgements come back. No I/O of its own.

Four lanes share one link, the most urgent first: alerts; the live results, which are committed while the link
is up; the backlog of results, oldest first; metrics. So what happens now is known upstream within a second,
though a million results wait. All is driven by events in the supervisor's main thread: the store's
(``on_committed``, ``on_leased``), the link's, and a ``tick`` about once a second. The store answers a lease
later; a lane asks for one at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from agent.blocks import Position
from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.link import ack
from agent.link.delays import Delays
from agent.link.lane import Lane
from agent.link.seams import DeliveryStatus
from agent.link.sender import Sender
from agent.link.window import MAX_BATCHES, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.blocks import Lease, Stream
    from agent.link.seams import Outbox, Uplink
    from agent.link.settings import LinkMessage, LinkPublished, LinkUp
    from agent.signing import Signer, Verifier
    from agent.store.reports import Committed, Leased

_T = TypeVar("_T")
_EPOCHS = 256
"""Epochs whose last acknowledgement is remembered."""
_RECHECK_S = 10.0
"""How long to believe that the store has nothing: it also says so when it cannot read for now."""
_PATIENCE = 6
"""How many times longer to wait for an acknowledgement while the broker itself has not confirmed."""
_SILENT_S = 300.0
"""A collector that has not acknowledged anything for so long, while batches wait, is said to be away."""


class Delivery:
    """Keeps the lanes' windows full while the link is up, and sends again what stays unanswered.

    Args:
        topics: where batches of each stream go.
        ack_topic: where the collector's acknowledgements come from.
        signer: signs batches; None sends them unsigned.
        verifier: the collector's key; None takes acknowledgements unproven.
        bytes_per_s: the most to send; 0: no cap.
        resend_s: seconds without an acknowledgement after which batches are sent again.
    """

    def __init__(
        self,
        store: Outbox,
        link: Uplink,
        *,
        device: str,
        topics: Mapping[Stream, str],
        ack_topic: str,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        bytes_per_s: int = 0,
        resend_s: float = 10.0,
    ) -> None:
        self._store = store
        self._link = link
        self._device = device
        self._topics = topics
        self._ack_topic = ack_topic
        self._verifier = verifier
        self._sender = Sender(
            link, device=device, topics=topics, lose=store.lose, signer=signer, bytes_per_s=bytes_per_s
        )
        self._alert = Lane("alert", Window(resend_s=resend_s))
        self._live = Lane("result", Window(resend_s=resend_s))
        self._backlog = Lane("result", Window(resend_s=resend_s), share=6)
        self._metric = Lane("metric", Window(resend_s=resend_s), share=1)
        self._lanes = (self._alert, self._live, self._backlog, self._metric)
        self._committed: Position | None = None
        self._limit = MAX_BATCHES
        self._online = False
        self._token = 0
        self._acked: OrderedDict[tuple[Stream, str], int] = OrderedDict()
        self._have: OrderedDict[tuple[Stream, str], Sequence[tuple[int, int]]] = OrderedDict()
        self._delays = Delays()
        self._last_ack: Position | None = None
        self._heard = 0.0
        self._silent = False

    @property
    def status(self) -> DeliveryStatus:
        """Where it stands."""
        in_flight = sum(len(lane.window) for lane in self._lanes)
        sender = self._sender
        return DeliveryStatus(
            sent=sender.sent,
            resent=sender.resent,
            in_flight=in_flight,
            acked=self._last_ack,
            blocked=sender.blocked,
            silent=self._silent,
            live_p95_ms=self._delays.p95_ms,
        )

    def on_link_up(self, up: LinkUp, now: float) -> None:
        """The link is up: begin again after what is acknowledged."""
        self._online = True
        self._heard = now
        self._sender.begin(up.max_packet)
        self._limit = max(1, min(MAX_BATCHES, up.receive_max))
        for lane in self._lanes:
            lane.window.resize(lane.limit(self._limit))
        self._restart()
        self._pump(now)

    def on_link_down(self) -> None:
        """The link is down: what was on its way may be lost."""
        self._online = False
        self._sender.begin(0)
        self._restart()

    def on_published(self, published: LinkPublished, now: float) -> None:
        """The broker has taken over a message: the link does move."""
        if published.token in self._sender.unconfirmed:
            self._sender.unconfirmed.discard(published.token)
            for lane in self._lanes:
                lane.window.progressed(now)

    def on_message(self, message: LinkMessage, now: float) -> None:
        """Take an acknowledgement; messages of other topics are not ours."""
        if message.topic != self._ack_topic:
            return
        try:
            document = ack.decode(message.payload, self._verifier)
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, message.topic, problem=error)
            return
        if document.device != self._device:
            emit(Event.MESSAGE_REFUSED, message.topic, problem=f"it acknowledges {document.device!r}")
            return
        self._heard, self._silent = now, False
        moved = [
            self._take(stream, epoch, stored.upto, stored.have, now)
            for stream in self._topics
            for epoch, stored in document.streams.get(stream, {}).items()
        ]
        if not any(moved):
            for lane in self._lanes:
                lane.window.hurry()
        # A retained message is old: it asked before this connection began.
        if document.again and not message.retain and self._online:
            self._send_again("the collector asks for it")
        self._pump(now)

    def on_committed(self, committed: Committed | None, now: float) -> None:
        """The store has new records; None: some wait in its memory."""
        if committed is not None and committed.stream == "result":
            self._delays.committed(committed.epoch, committed.last, now)
            if self._committed is None:  # what came before is the backlog
                split = Position(committed.epoch, committed.last - committed.count)
                self._live.restart(split)
                self._backlog.end = split
            self._committed = Position(committed.epoch, committed.last)
        for lane in self._lanes:
            lane.dry_until = min(lane.dry_until, now)
        self._pump(now)

    def on_leased(self, leased: Leased, now: float) -> None:
        """The store's answer; one that nobody waits for any more is dropped."""
        lane = next((lane for lane in self._lanes if lane.asked == leased.token), None)
        if lane is None:
            return
        lane.asked = 0
        if leased.lease is None:
            lane.dry_until = now + _RECHECK_S
        elif (lease := lane.trimmed(leased.lease)) is None or self._passed_over(lane, lease, now):
            pass
        elif not self._sender.send(lane, lease, now):
            return  # the next tick, or the link, asks again
        self._pump(now)

    def tick(self, now: float) -> None:
        """Look after batches that nobody answers."""
        if not self._online:
            return
        patience = _PATIENCE if self._sender.unconfirmed else 1
        if any(lane.window.overdue(now, patience) for lane in self._lanes):
            if self._sender.unconfirmed:
                self._link.reconnect("the broker confirms nothing")
            for lane in self._lanes:
                lane.window.narrow()
            self._send_again("no acknowledgement")
        waits = any(len(lane.window) for lane in self._lanes)
        if waits and now - self._heard > _SILENT_S and not self._silent:
            self._silent = True
            emit(Event.COLLECTOR_SILENT, self._ack_topic, seconds=round(now - self._heard))
        self._pump(now)

    def _take(
        self, stream: Stream, epoch: str, upto: int, have: Sequence[tuple[int, int]], now: float
    ) -> bool:
        """Take one epoch's acknowledgement; say whether it moved a window."""
        place = (stream, epoch)
        _remember(self._have, place, have)
        lanes = [lane for lane in self._lanes if lane.stream == stream]
        moved = any([lane.acknowledged(epoch, upto, have, now) for lane in lanes])  # noqa: C419 - all of them
        if stream == "result":
            self._delays.acked(epoch, upto, have, now)
        if upto > self._acked.get(place, 0):
            _remember(self._acked, place, upto)
            self._last_ack = Position(epoch, upto)
            self._store.ack(stream, epoch, upto)
        return moved

    def _send_again(self, reason: str) -> None:
        if (count := self._restart()) or self._behind():
            emit(Event.BATCH_RESENT, self._device, count=count, reason=reason)

    def _behind(self) -> bool:
        """Whether results below the live ones are not acknowledged."""
        place = self._committed
        return place is not None and self._acked.get(("result", place.epoch), 0) < place.seq

    def _restart(self) -> int:
        """Begin again after what is acknowledged: all that is committed by now is backlog."""
        split = self._committed
        count = self._backlog.restart(end=split) + self._live.restart(split)
        self._live.drained = split is None
        return count + self._alert.restart() + self._metric.restart()

    def _pump(self, now: float) -> None:
        """Ask for leases where there is room for them and reason to."""
        for lane in self._lanes:
            if not self._online or self._sender.blocked or not lane.wants(now):
                continue
            if lane is not self._alert and not self._sender.throttle.open(now):
                continue
            pending = sum(len(one.window) + bool(one.asked) for one in self._lanes)
            if pending < self._limit and (room := lane.room()):
                self._token += 1
                lane.asked = self._token
                after = lane.after(self._skippable(lane))
                self._store.lease(lane.stream, after, min(room, self._sender.batch_bytes), self._token)

    def _passed_over(self, lane: Lane, lease: Lease, now: float) -> bool:
        """Whether the collector has all of it already: then it only moves the lane on."""
        have = self._have.get((lease.stream, lease.epoch), ())
        if lease.lost or not any(a <= lease.first and lease.last <= b for a, b in have):
            return False
        lane.window.sent(lease, now)
        lane.acknowledged(lease.epoch, 0, have, now)
        return True

    def _skippable(self, lane: Lane) -> Sequence[tuple[int, int]]:
        place = lane.window.next_after() or lane.begin
        return self._have.get((lane.stream, place.epoch), ()) if place else ()


def _remember(table: OrderedDict[tuple[Stream, str], _T], place: tuple[Stream, str], value: _T) -> None:
    table[place] = value
    table.move_to_end(place)
    if len(table) > _EPOCHS:
        table.popitem(last=False)
