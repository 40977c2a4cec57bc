"""Publishes leases as batches: whole, in parts where the broker takes no packet of that size, or not."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from agent.blocks import Loss
from agent.errors import LinkLost, MessageInvalid
from agent.events import Event, emit
from agent.link import batch
from agent.link.recut import recut
from agent.link.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.blocks import Lease, Stream
    from agent.link.lane import Lane
    from agent.link.seams import Uplink
    from agent.signing import Signer

BATCH_BYTES = 96 << 10
"""Bytes of blocks that go into one batch."""
_HEADER_BYTES = 8 << 10
"""Set aside for topic, header and signature; of a small packet a quarter."""
_SANE_PACKET = 16 << 10
"""A broker that takes less is misconfigured: nothing is given up because of it."""
_A_BATCH_S = 0.25
"""Under a cap of the bandwidth no batch takes longer than this: a live result may wait behind it."""
_EPOCHS = 256
"""Epochs of which is remembered how far they were sent."""


class Sender:
    """Makes batches of leases and publishes them.

    Args:
        link: where they go.
        device: who we are.
        topics: where batches of each stream go.
        lose: told of records that no broker takes: stream, epoch, first, last.
        signer: signs batches; None sends them unsigned.
        bytes_per_s: the most to send; 0: no cap.

    Attributes:
        sent, resent: batches published, and those of them that went out before.
        blocked: something is larger than what the broker takes, and is not given up.
        unconfirmed: tokens of messages that the broker has not taken over yet.
        throttle: says whether the cap leaves room.
    """

    def __init__(
        self,
        link: Uplink,
        *,
        device: str,
        topics: Mapping[Stream, str],
        lose: Callable[[Stream, str, int, int], None],
        signer: Signer | None = None,
        bytes_per_s: int = 0,
    ) -> None:
        self._link = link
        self._device = device
        self._topics = topics
        self._lose = lose
        self._signer = signer
        self._max_packet = 0
        self._furthest: OrderedDict[tuple[Stream, str], int] = OrderedDict()
        self.throttle = Throttle(bytes_per_s)
        self.unconfirmed: set[int] = set()
        self.blocked = False
        self.sent = 0
        self.resent = 0

    def begin(self, max_packet: int) -> None:
        """A new connection: what was on its way is forgotten, and the broker's limit may be another."""
        self._max_packet = max_packet
        self.blocked = False
        self.unconfirmed.clear()

    @property
    def batch_bytes(self) -> int:
        """Bytes of blocks that a batch should have."""
        return self.throttle.fitting(min(BATCH_BYTES, self._most_blocks), _A_BATCH_S)

    @property
    def _most_blocks(self) -> int:
        """Bytes of blocks that fit into a packet."""
        return max(1, self._max_packet - min(_HEADER_BYTES, self._max_packet // 4))

    def send(self, lane: Lane, lease: Lease, now: float) -> bool:
        """Publish a lease and count it in its lane's window; False when that must wait."""
        try:
            self._publish(lane, lease, now)
        except LinkLost:
            return False
        except MessageInvalid as error:
            if self._max_packet >= _SANE_PACKET and lease.blocks:
                return self._send_parts(lane, lease, now)
            self._block(lease, error)
            return False
        return True

    def _publish(self, lane: Lane, lease: Lease, now: float) -> None:
        payload = batch.encode(self._device, lease, self._signer)
        self.unconfirmed.add(self._link.publish(self._topics[lease.stream], payload))
        self.throttle.sent(len(payload))
        lane.window.sent(lease, now)
        self.sent += 1
        place = (lease.stream, lease.epoch)
        if lease.blocks and lease.last <= self._furthest.get(place, 0):
            self.resent += 1
            return
        self._furthest[place] = lease.last
        self._furthest.move_to_end(place)
        if len(self._furthest) > _EPOCHS:
            self._furthest.popitem(last=False)

    def _send_parts(self, lane: Lane, lease: Lease, now: float) -> bool:
        """Publish a lease's blocks one by one, cut to what the broker takes; give up what fits nowhere."""
        most = self._most_blocks
        lost = lease.lost
        for block in lease.blocks:
            parts, too_large = recut(block, most) if len(block.data) > most else ([block], [])
            for seq in too_large:
                emit(Event.RECORD_OVERSIZED, lease.stream, epoch=lease.epoch, seq=seq, most=most)
                self._lose(lease.stream, lease.epoch, seq, seq)
            lost += tuple(Loss(seq, seq, "oversized") for seq in too_large)
            for part in parts:
                below = tuple(loss for loss in lost if loss.last < part.first)
                try:
                    self._publish(lane, lease.replaced((part,), below), now)
                except LinkLost:
                    return False
                except MessageInvalid as error:
                    self._block(lease, error)
                    return False
        return True

    def _block(self, lease: Lease, error: MessageInvalid) -> None:
        self.blocked = True
        emit(Event.BATCH_REFUSED, lease.stream, problem=error)
