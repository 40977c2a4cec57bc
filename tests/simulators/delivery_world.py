"""A delivery with all around it in memory: a wire and a broker that lose what they are told to."""

from __future__ import annotations

from agent.delivery import Delivery
from agent.errors import LinkLost, MessageInvalid
from agent.link.settings import LinkMessage, LinkPublished, LinkUp
from agent.link.window import Window
from tests.simulators.memory_store import MemoryCollector, MemoryStore

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

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        assert (topic, qos, retain) == ("edge/v1/demo/d/pi-17/up/results", 1, False)
        if not self.up or len(self.waiting) >= self.room:
            raise LinkLost("publish", topic, "no link")
        if len(payload) > self.limit:
            raise MessageInvalid("publish", topic, "too large")
        self.tokens += 1
        self.waiting.append((self.tokens, payload))
        return self.tokens

    def reconnect(self, problem: str) -> None:
        self.reconnects.append(problem)


class World:
    """A device's store and delivery, the wire, a broker's queue, and the collector."""

    def __init__(self, max_bytes: int = 4000) -> None:
        self.store, self.wire, self.collector = MemoryStore(), Wire(), MemoryCollector()
        self.window = Window(max_bytes=max_bytes, resend_s=10, resend_cap_s=40)
        self.delivery = Delivery(
            self.store,
            self.wire,
            device="pi-17",
            stream="result",
            results_topic="edge/v1/demo/d/pi-17/up/results",
            ack_topic=ACKS,
            window=self.window,
        )
        self.now = 0.0
        self.queue: list[bytes] = []
        self.store.begin()

    def connect(self, *, max_packet: int = 1 << 20, receive_max: int = 65_535) -> None:
        self.wire.up, self.wire.limit = True, max_packet
        self.delivery.on_link_up(LinkUp("5", max_packet, receive_max), self.now)

    def lose(self) -> None:
        self.wire.up = False
        self.wire.waiting.clear()
        self.delivery.on_link_down()

    def commit(self, count: int = 10, size: int = 0) -> None:
        self.store.commit(count, size)
        self.delivery.on_committed(self.now)

    def serve(self) -> None:
        """Answer every lease that is asked for."""
        while self.store.wanted:
            self.delivery.on_leased(self.store.answer(), self.now)

    def take(self) -> None:
        """The broker takes over the oldest message."""
        token, payload = self.wire.waiting.pop(0)
        self.queue.append(payload)
        self.delivery.on_published(LinkPublished(token), self.now)

    def tell(self, *, again: bool = False, retain: bool = False) -> None:
        """The device gets the collector's acknowledgement."""
        document = self.collector.document(again=again)
        self.delivery.on_message(LinkMessage(ACKS, document, retain), self.now)

    def carry(self) -> None:
        """All of it goes its way, once."""
        self.serve()
        while self.wire.waiting:
            self.take()
        while self.queue:
            self.collector.take(self.queue.pop(0))
        self.tell()
        self.serve()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.delivery.tick(self.now)
