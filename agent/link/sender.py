"""Publishes leases as batches: whole, in parts where the broker takes no packet of that size, or not."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.blocks import Loss
from agent.errors import LinkLost, MessageInvalid
from agent.events import Event, emit
from agent.link import batch
from agent.link.memory import remember
from agent.link.recut import recut
from agent.link.throttle import Throttle
from agent.link.topics import up_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.blocks import Block, Lease, Stream
    from agent.link.lane import Lane
    from agent.link.seams import Uplink
    from agent.trust.signing import Signer

BATCH_BYTES = 96 << 10
"""Bytes of blocks that go into one batch."""
_HEADER_BYTES = 8 << 10
"""Set aside for topic, header and signature; of a small packet a quarter."""
_LOSS_BYTES = 512
"""Of a packet's bytes for each loss that its header tells; it takes up to 80."""
_SANE_PACKET = 16 << 10
"""A broker that takes less is misconfigured: nothing is given up because of it."""
_A_BATCH_S = 0.25
"""Under a cap of the bandwidth no batch takes longer than this: a live result may wait behind it."""
_A_BLOCK_S = 0.5
"""Nor any block; a header is about 300 bytes, so that blocks are not cut to less than _LEAST_BLOCK."""
_LEAST_BLOCK = 1 << 10
_MOST_RANGES = 16

Place = tuple["Stream", str]


class Sender:
    """Makes batches of leases and publishes them.

    Args:
        link: where they go.
        fleet, device: who we are.
        lose: told of records that no broker takes: stream, epoch, first, last.
        signer: signs batches; None sends them unsigned.
        bytes_per_s: the most to send; 0: no cap.

    Attributes:
        sent, resent: batches published, and those of them that went out before, by stream.
        sent_bytes: their size, by stream.
        unconfirmed: tokens of messages that the broker has not answered yet, and the streams they are of.
        throttle: says whether the cap leaves room.
    """

    def __init__(
        self,
        link: Uplink,
        *,
        fleet: str,
        device: str,
        lose: Callable[[Stream, str, int, int], None],
        signer: Signer | None = None,
        bytes_per_s: int = 0,
    ) -> None:
        self._link = link
        self._fleet = fleet
        self._device = device
        self._topics = up_batches(fleet, device)
        self._lose = lose
        self._signer = signer
        self._max_packet = 0
        self._ranges: OrderedDict[Place, list[tuple[int, int]]] = OrderedDict()
        self._given_up: OrderedDict[tuple[Place, int], None] = OrderedDict()
        self.throttle = Throttle(bytes_per_s)
        self.unconfirmed: dict[int, Stream] = {}
        self._too_large = ""
        self._refused: dict[Stream, str] = {}
        self.sent: Counter[Stream] = Counter()
        self.resent: Counter[Stream] = Counter()
        self.sent_bytes: Counter[Stream] = Counter()

    def begin(self, max_packet: int) -> None:
        """A new connection: what was on its way is forgotten, and the broker's limit may be another."""
        self._max_packet = max_packet
        self._too_large = ""
        self._refused.clear()
        self.unconfirmed.clear()

    @property
    def blocked(self) -> str:
        """Why something stands still: it is too large and not given up, or refused; "" when nothing does."""
        return self._too_large or next(iter(self._refused.values()), "")

    def answered(self, token: int, refused: str) -> bool:
        """The broker has answered a message; say whether it has taken it over."""
        if (stream := self.unconfirmed.pop(token, None)) is None:
            return False
        self._refused.pop(stream, None)
        if refused:
            self._refused[stream] = refused
        return not refused

    @property
    def batch_bytes(self) -> int:
        """Bytes of blocks that a batch should have."""
        return self.throttle.fitting(min(BATCH_BYTES, self._most_blocks), _A_BATCH_S)

    @property
    def _most_blocks(self) -> int:
        """Bytes of blocks that fit into a packet."""
        return max(1, self._max_packet - min(_HEADER_BYTES, self._max_packet // 4))

    def send(self, lane: Lane, lease: Lease, now: float, more: Callable[[], bool]) -> bool:
        """Publish a lease and count it in its lane's window; False when that must wait.

        A lease in parts goes as far as ``more`` says that another may follow; the lane asks for the rest.
        """
        lease = self._told(lane, lease)
        try:
            if not self._to_cut(lane, lease):
                try:
                    self._publish(lane, lease, now)
                except MessageInvalid:
                    if not lease.blocks:
                        raise
                else:
                    return True
            for at, part in enumerate(self._parts(lane, lease)):
                if at and not more():
                    break
                self._publish(lane, part, now)
        except LinkLost:
            return False
        except MessageInvalid as error:
            lane.blocked, self._too_large = True, error.problem
            emit(Event.BATCH_REFUSED, lease.stream, problem=error)
            return False
        return True

    def _told(self, lane: Lane, lease: Lease) -> Lease:
        """The lease with as many losses as a header takes; the rest is told when these are acknowledged."""
        most = min(batch.MAX_LOST, max(1, self._most_blocks // _LOSS_BYTES))
        if lease.blocks:
            return lease.replaced(lease.blocks, lease.lost[:most])
        told = lane.sent_upto(lease.epoch)
        fresh = tuple(loss for loss in lease.lost if loss.last > told)[:most]
        if not fresh:
            return lease
        last = fresh[-1].last
        return replace(lease, lost=fresh, declared=last, low=min(lease.low, last + 1))

    def _to_cut(self, lane: Lane, lease: Lease) -> bool:
        most = self._most_part(lane)
        begun = bool(lease.blocks) and lease.blocks[0].first <= lane.sent_upto(lease.epoch)
        return begun or any(len(block.data) > most for block in lease.blocks)

    def _most_part(self, lane: Lane) -> int:
        """The most bytes that a block should have."""
        most = self._most_blocks
        return most if lane.urgent else min(most, max(_LEAST_BLOCK, self.throttle.fitting(most, _A_BLOCK_S)))

    def _parts(self, lane: Lane, lease: Lease) -> Iterator[Lease]:
        """Cut a lease into leases of one block that the broker takes; give up what fits nowhere.

        Raises:
            MessageInvalid: a record is too large, and the broker's limit makes no sense.
        """
        low = max(lease.low, lane.acked_of(lease) + 1)  # what is cut off does not come again
        lease = replace(lease, low=low)
        after, wanted, lost = lane.sent_upto(lease.epoch), self._most_part(lane), lease.lost
        for block in lease.blocks:
            parts, too_large = [block], list[int]()
            if len(block.data) > wanted or block.first <= after:
                parts, too_large = recut(block, wanted, self._most_blocks, after)
            for seq in too_large:
                self._give_up(lease, seq)
            lost += tuple(Loss(seq, seq, "oversized") for seq in too_large)
            yield from (_with(lease, part, lost) for part in parts)

    def _give_up(self, lease: Lease, seq: int) -> None:
        if self._max_packet < _SANE_PACKET:
            problem = f"record {seq} is larger than the {self._max_packet} bytes that the broker takes"
            raise MessageInvalid("send", lease.stream, problem, "Raise the broker's limit")
        place = ((lease.stream, lease.epoch), seq)
        if place in self._given_up:  # an older lease still held it
            return
        remember(self._given_up, place, None)
        emit(Event.RECORD_OVERSIZED, lease.stream, epoch=lease.epoch, seq=seq, most=self._most_blocks)
        self._lose(lease.stream, lease.epoch, seq, seq)

    def _publish(self, lane: Lane, lease: Lease, now: float) -> None:
        payload = batch.encode(self._fleet, self._device, lease, self._signer, lane=lane.name)
        self.unconfirmed[self._link.publish(self._topics[lease.stream], payload)] = lease.stream
        self.throttle.sent(len(payload), now)
        lane.window.sent(lease, now)
        self.sent[lease.stream] += 1
        self.sent_bytes[lease.stream] += len(payload)
        if lease.blocks:
            place = (lease.stream, lease.epoch)
            ranges = self._ranges.get(place, [])
            self.resent[lease.stream] += any(a <= lease.first and lease.last <= b for a, b in ranges)
            remember(self._ranges, place, _joined(ranges, lease.first, lease.last)[-_MOST_RANGES:])


def _with(lease: Lease, part: Block, lost: tuple[Loss, ...]) -> Lease:
    below = tuple(loss for loss in lost if loss.last < part.first)
    return lease.replaced((part,), below[: batch.MAX_LOST])


def _joined(ranges: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """The ranges, in order, and one more; what touches becomes one."""
    apart = [one for one in ranges if one[1] < first - 1 or one[0] > last + 1]
    touching = [one for one in ranges if one not in apart]
    return sorted([*apart, (min([first, *(a for a, _ in touching)]), max([last, *(b for _, b in touching)]))])
