"""A delivery on a real outbox; beyond it, in memory, a wire and a broker that lose what they are told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import LinkLost, MessageInvalid
from agent.link import topics
from agent.link.settings import LinkMessage, LinkPublished, LinkUp
from agent.uplink.delivery import Delivery
from tests.simulators.memory_collector import MemoryCollector
from tests.simulators.outbox_store import OutboxStore

if TYPE_CHECKING:
    from agent.blocks import Stream
    from agent.link.lane import Lane

ACKS = "edge/v1/demo/d/pi-17/down/ack"


class Wire:
    """The link's place: what is published waits here until the broker takes it."""

    def __init__(self) -> None:
        self.up = False
        self.limit = 1 << 20
        self.room = 1000
        self.waiting: list[tuple[int, bytes]] = []
        self.reconnects: list[str] = []
        self.tokens = 0
        self.sent = 0

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        assert topic in topics.up_batches("demo", "pi-17").values()
        assert (qos, retain) == (1, False)
        if not self.up or len(self.waiting) >= self.room:
            raise LinkLost("publish", topic, "no link")
        if len(payload) > self.limit:
            raise MessageInvalid("publish", topic, "too large")
        self.tokens += 1
        self.sent += len(payload)
        self.waiting.append((self.tokens, payload))
        return self.tokens

    def reconnect(self, problem: str) -> None:
        self.reconnects.append(problem)


class World:
    """A device's store and delivery, the wire, a broker's queue, and the collector.

    Args:
        max_bytes: what each lane may have on its way.
        bytes_per_s: the cap on what is sent.
        segment_bytes: of the store; 1 gives each commit a segment of its own.
        before: what the device was before it started again; the rest of the world goes on.
        away: whether the disk does not serve at that start; ``store.bring_back`` ends that.
    """

    def __init__(
        self,
        max_bytes: int = 4000,
        bytes_per_s: int = 0,
        segment_bytes: int = 1,
        before: World | None = None,
        *,
        away: bool = False,
    ) -> None:
        self.store: OutboxStore = before.store if before else OutboxStore(segment_bytes)
        self.collector: MemoryCollector = before.collector if before else MemoryCollector()
        self.wire = Wire()
        self.delivery = Delivery(
            self.store,
            self.wire,
            fleet="demo",
            device="pi-17",
            bytes_per_s=bytes_per_s,
            resend_s=10,
        )
        for lane in self.lanes:
            lane.pace.bytes = max_bytes
            lane.window._resend_cap_s = 40
        self.now: float = before.now if before else 0.0
        self.queue: list[bytes] = before.queue if before else []
        if before:
            self.store.begin(away=away)

    def close(self) -> None:
        self.store.close()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return self.delivery._lanes

    @property
    def in_flight(self) -> int:
        return self.delivery.status.in_flight

    @property
    def complete(self) -> bool:
        """Whether the collector has everything, or knows that it is lost.

        Of runs that were over and delivered, nothing is left to tell a collector that was restored since.
        """
        left = self.store.everything() - self.collector.known()
        return all(one in self.collector.ever and not self.store.has_epoch(*one[:2]) for one in left)

    def connect(self, *, max_packet: int = 1 << 20, receive_max: int = 65_535) -> None:
        self.wire.up, self.wire.limit = True, max_packet
        self.delivery.on_link_up(LinkUp("5", max_packet, receive_max), self.now)

    def lose(self) -> None:
        self.wire.up = False
        self.wire.waiting.clear()
        self.delivery.on_link_down()

    def commit(self, count: int = 10, size: int = 0, stream: Stream = "result") -> None:
        self.delivery.on_committed(self.store.commit(count, size, stream), self.now)

    def answer(self) -> None:
        """Answer the lease that was asked for first."""
        self.delivery.on_leased(self.store.answer(), self.now)

    def serve(self) -> None:
        """Answer every lease that is asked for."""
        while self.store.wanted:
            self.answer()

    def take(self, *, refused: str = "") -> None:
        """The broker takes over the oldest message, or refuses it."""
        token, payload = self.wire.waiting.pop(0)
        if not refused:
            self.queue.append(payload)
        self.delivery.on_published(LinkPublished(token, refused), self.now)

    def tell(self, *, again: bool = False, retain: bool = False) -> bytes:
        """The device gets the collector's acknowledgement, now."""
        document = self.collector.document(again=again)
        self.hear(document, retain=retain)
        return document

    def hear(self, document: bytes, *, retain: bool = False) -> None:
        """The device gets an acknowledgement."""
        self.delivery.on_message(LinkMessage(ACKS, document, retain), self.now)

    def carry(self) -> None:
        """All of it goes its way, once."""
        self.serve()
        self.bring()
        self.tell()
        self.serve()

    def bring_the_disk_back(self) -> None:
        """The store opens what earlier starts left, and says so."""
        self.store.bring_back()
        self.delivery.on_committed(None, self.now)

    def bring(self) -> None:
        """All that is on its way reaches the collector, and nobody hears of it yet."""
        while self.wire.waiting:
            self.take()
        while self.queue:
            self.collector.take(self.queue.pop(0))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.delivery.tick(self.now)
