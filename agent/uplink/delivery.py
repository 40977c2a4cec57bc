"""From the store to the collector: leases go out as batches, acknowledgements come back. No I/O of its own.

Four lanes share one link, the most urgent first: alerts; the live results, which are committed while the link
is up; the backlog of results, oldest first; metrics. So what happens now is known upstream within a second,
though a million results wait. All is driven by events in the supervisor's main thread: the store's
(``on_committed``, ``on_leased``), the link's, and a ``tick`` about once a second. The store answers a lease
later; a lane asks for one at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from agent.blocks import STREAMS, Position
from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.link import ack
from agent.link.budget import Budget
from agent.link.delays import Delays
from agent.link.freshness import Freshness
from agent.link.lane import Lane
from agent.link.memory import remember
from agent.link.rivals import Rivals
from agent.link.seams import DeliveryStatus, StreamStatus
from agent.link.sender import Sender
from agent.link.topics import down_ack
from agent.link.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.blocks import Lease, Stream
    from agent.link.seams import Outbox, Uplink
    from agent.link.settings import LinkMessage, LinkPublished, LinkUp
    from agent.store.reports import Committed, Leased
    from agent.trust.signing import Signer, Verifier

_RECHECK_S = 10.0
"""How long to believe that the store has nothing: it also says so when it cannot read for now."""
_PATIENCE = 6
"""How many times longer to wait for an acknowledgement while the broker itself has not confirmed."""
_TICK_S = 1.0
_SILENT_S = 300.0
"""A collector that has not acknowledged anything for so long, while batches wait, is said to be away."""


class Delivery:
    """Keeps the lanes' windows full while the link is up, and sends again what stays unanswered.

    Args:
        fleet, device: who we are.
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
        fleet: str,
        device: str,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        bytes_per_s: int = 0,
        resend_s: float = 10.0,
    ) -> None:
        self._store = store
        self._link = link
        self._fleet = fleet
        self._device = device
        self._ack_topic = down_ack(fleet, device)
        self._verifier = verifier
        self._sender = Sender(
            link, fleet=fleet, device=device, lose=store.lose, signer=signer, bytes_per_s=bytes_per_s
        )
        self._acked: OrderedDict[tuple[Stream, str], int] = OrderedDict()
        alert = Lane("alert", Window(resend_s=resend_s), self._acked, urgent=True)
        self._live = Lane("live", Window(resend_s=resend_s), self._acked, patience=8)
        self._backlog = Lane("backlog", Window(resend_s=resend_s), self._acked, share=6, patience=4)
        metric = Lane("metric", Window(resend_s=resend_s), self._acked, share=1, patience=16)
        self._lanes = (alert, self._live, self._backlog, metric)
        self._budget = Budget(self._lanes)
        self._freshness = Freshness(self._live, self._backlog)
        self._rivals = Rivals(store.holds)
        self._committed: Position | None = None
        self._now = 0.0
        self._online = False
        self._token = 0
        self._have: OrderedDict[tuple[Stream, str], Sequence[tuple[int, int]]] = OrderedDict()
        self._delays = Delays()
        self._last_ack: Position | None = None
        self._heard = 0.0
        self._silent = False

    @property
    def status(self) -> DeliveryStatus:
        """Where it stands."""
        sender = self._sender
        streams = {stream: self._stream_status(stream) for stream in STREAMS}
        return DeliveryStatus(
            sent=sender.sent.total(),
            resent=sender.resent.total(),
            in_flight=sum(one.in_flight for one in streams.values()),
            streams=streams,
            acked=self._last_ack,
            blocked=sender.blocked,
            unheard_s=round(max(0.0, self._now - self._heard), 1) if self._online else 0.0,
            silent=self._silent,
            live_p95_ms=self._delays.p95_ms(self._now),
            rate=sender.throttle.rate(self._now),
        )

    def _stream_status(self, stream: Stream) -> StreamStatus:
        return StreamStatus(
            sent=self._sender.sent[stream],
            resent=self._sender.resent[stream],
            sent_bytes=self._sender.sent_bytes[stream],
            in_flight=sum(len(lane.window) for lane in self._lanes if lane.stream == stream),
            acked=next((upto for (one, _), upto in reversed(self._acked.items()) if one == stream), 0),
        )

    def on_link_up(self, up: LinkUp, now: float) -> None:
        """The link is up: begin again after what is acknowledged."""
        self._online = True
        self._heard = now
        self._sender.begin(up.max_packet)
        self._budget.resize(up.receive_max)
        for lane in self._lanes:
            lane.blocked = False
        self._restart()
        self._pump(now)

    def on_link_down(self) -> None:
        """The link is down: what was on its way may be lost."""
        self._online = False
        self._sender.begin(0)
        self._delays.forget()
        self._restart()

    def on_published(self, published: LinkPublished, now: float) -> None:
        """The broker has answered a message; when it has taken it over, the link does move."""
        if self._sender.answered(published.token, published.refused):
            for lane in self._lanes:
                lane.window.progressed(now)

    def on_message(self, message: LinkMessage, now: float) -> None:
        """Take an acknowledgement; messages of other topics are not ours."""
        if message.topic != self._ack_topic:
            return
        try:
            document = ack.decode(message.payload, self._verifier)
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, message.topic, refusal=error.refusal, problem=error)
            return
        if (document.fleet, document.device) != (self._fleet, self._device):
            problem = f"it acknowledges {document.device!r} of {document.fleet!r}"
            emit(Event.MESSAGE_REFUSED, message.topic, refusal="sender", problem=problem)
            return
        self._heard, self._silent = now, False
        if epoch := self._rivals.heard(document.streams, now):
            emit(Event.DEVICE_DOUBLED, self._device, epoch=epoch)
        moved = [
            self._take(stream, epoch, stored.upto, stored.have, now)
            for stream in STREAMS
            for epoch, stored in document.streams.get(stream, {}).items()
        ]
        # A retained message is old: it was said before this connection began.
        for lane in self._lanes if not (message.retain or any(moved)) else ():
            lane.window.hurry()
        self._freshness.keep(self._committed, now)
        if document.again and not message.retain and self._online:
            self._send_again("the collector asks for it")
        self._pump(now)

    def on_committed(self, committed: Committed | None, now: float) -> None:
        """The store has new records; None: it may have more than it could say."""
        if committed is not None and committed.stream == "result":
            place = Position(committed.epoch, committed.last)
            if self._committed is None:  # what came before is the backlog
                self._backlog.end = Position(place.epoch, place.seq - committed.count)
                self._live.active = True
                self._live.restart(self._backlog.end)
            self._committed = place
            if self._online:
                self._delays.committed(place.epoch, place.seq, now)
        if committed is None:
            self._backlog.begin = None
        for lane in self._lanes:
            if committed is None or (lane.stream == committed.stream and lane.end is None):
                lane.dry_until = min(lane.dry_until, now)
        self._pump(now)

    def on_leased(self, leased: Leased, now: float) -> None:
        """The store's answer; one that nobody waits for any more is dropped."""
        lane = next((lane for lane in self._lanes if lane.asked == leased.token), None)
        if lane is None:
            return
        lane.asked = 0
        if (lease := lane.trimmed(leased.lease) if leased.lease else None) is None:
            lane.dry_until = now + _RECHECK_S
        else:
            if acked := lane.acked_of(lease):  # the store had not opened that epoch yet when its word came
                self._store.ack(lane.stream, lease.epoch, acked)
            fresh = lane.fresh(lease, self._ranges(lane, lease), now)
            if fresh and not self._sender.send(lane, fresh, now, lambda: self._may_follow(lane, now)):
                return  # the next tick, or the link, asks again
        self._pump(now)

    def tick(self, now: float) -> None:
        """Look after batches that nobody answers."""
        self._now = now
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
        self._freshness.keep(self._committed, now)
        self._pump(now)

    def due(self, now: float) -> float:
        """Seconds until ``tick`` should be called, because the cap lets something go then."""
        return self._sender.throttle.wait(now) or _TICK_S

    def _take(
        self, stream: Stream, epoch: str, upto: int, have: Sequence[tuple[int, int]], now: float
    ) -> bool:
        """Take one epoch's acknowledgement; say whether it moved a window."""
        place = (stream, epoch)
        acked = max(upto, self._acked.get(place, 0))
        # An older word than the last one says nothing of ranges that can be relied on.
        remember(self._have, place, have if upto == acked else ())
        if upto == acked:  # passed on though it is no news: the store may have missed it
            self._store.ack(stream, epoch, upto)
        if upto > self._acked.get(place, 0):
            remember(self._acked, place, upto)
            self._last_ack = Position(epoch, upto)
        if stream == "result":
            self._delays.acked(epoch, upto, have, now)
        moved = False
        for lane in self._lanes:
            if lane.stream == stream:
                moved |= lane.acknowledged(epoch, upto, have, now)
                # What is beside the backlog is passed by it, too, in the end: so it finds every hole.
                if lane is not self._live and lane.has_hole(epoch):
                    lane.restart(None, lane.end)
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
        self._live.active = split is not None
        count = self._backlog.restart(end=split) + self._live.restart(split)
        return count + sum(lane.restart() for lane in self._lanes if lane.stream != "result")

    def _pump(self, now: float) -> None:
        """Ask for leases where there is room for them and reason to."""
        while self._online and (turn := self._budget.next(now, urgent_only=self._capped(now))):
            lane, room = turn
            if lane is self._backlog and self._live.active:
                lane.end = self._live.begin  # what lies between is stored; it looks whether that is so
            self._token += 1
            lane.asked = self._token
            after = lane.after(self._ranges(lane, lane.cursor))
            self._store.lease(lane.stream, after, min(room, self._sender.batch_bytes), self._token)

    def _capped(self, now: float) -> bool:
        """Whether the cap, or a lease under it that is still to come, lets only alerts go."""
        throttle = self._sender.throttle
        asked = throttle.capped and any(lane.asked for lane in self._lanes if not lane.urgent)
        return asked or not throttle.open(now)

    def _may_follow(self, lane: Lane, now: float) -> bool:
        return self._budget.allows(lane) and (lane.urgent or self._sender.throttle.open(now))

    def _ranges(self, lane: Lane, place: Lease | Position | None) -> Sequence[tuple[int, int]]:
        """What the collector has of the epoch of ``place``, beyond its first gap."""
        return self._have.get((lane.stream, place.epoch), ()) if place else ()
