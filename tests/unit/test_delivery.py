"""Delivery against a store in memory and a link that loses things: everything arrives, in order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.blocks import Position
from agent.delivery import Delivery
from agent.errors import LinkLost, MessageInvalid
from agent.events import Event, counters
from agent.link import ack, batch
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


class DeliveryMachine(RuleBasedStateMachine):
    """Whatever is lost on the way: what is acknowledged is stored, and in the end all of it is."""

    @initialize()
    def begin(self) -> None:
        self.world = World()

    @rule(count=st.integers(1, 5), size=st.sampled_from([0, 0, 500, 3000, 9000]))
    def commit(self, count: int, size: int) -> None:
        self.world.commit(count, size)

    @precondition(lambda self: len(self.world.store.blocks) < 4)
    @rule()
    def restart_epoch(self) -> None:
        self.world.store.begin()

    @precondition(lambda self: not self.world.wire.up)
    @rule(receive_max=st.sampled_from([1, 3, 65_535]))
    def connect(self, receive_max: int) -> None:
        self.world.connect(receive_max=receive_max)

    @precondition(lambda self: self.world.wire.up)
    @rule()
    def lose(self) -> None:
        self.world.lose()

    @precondition(lambda self: self.world.store.wanted)
    @rule()
    def answer(self) -> None:
        self.world.delivery.on_leased(self.world.store.answer(), self.world.now)

    @precondition(lambda self: self.world.wire.waiting)
    @rule()
    def broker_takes(self) -> None:
        self.world.take()

    @precondition(lambda self: self.world.queue)
    @rule(index=st.integers(0, 50))
    def broker_drops(self, index: int) -> None:
        self.world.queue.pop(index % len(self.world.queue))

    @precondition(lambda self: self.world.queue)
    @rule()
    def collector_stores(self) -> None:
        self.world.collector.take(self.world.queue.pop(0))

    @precondition(lambda self: self.world.wire.up)
    @rule(again=st.booleans(), retain=st.booleans())
    def collector_tells(self, again: bool, retain: bool) -> None:
        self.world.tell(again=again, retain=retain)

    @rule(seconds=st.sampled_from([0.1, 1.0, 11.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @invariant()
    def one_lease_is_asked_for_at_a_time(self) -> None:
        assert len(self.world.store.wanted) <= 1

    @invariant()
    def what_is_acknowledged_is_stored(self) -> None:
        stored = self.world.collector.stored
        for (epoch, first), count in self.world.store.everything().items():
            acked = first + count - 1 <= self.world.store.acked[epoch]
            assert not acked or (epoch, first) in stored

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.lose()
        world.serve()
        world.connect()
        for _ in range(200):
            world.carry()
            world.wait(15)
            if world.collector.stored == world.store.everything() and not len(world.window):
                break
        assert world.collector.stored == world.store.everything()
        assert len(world.window) == 0


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_what_is_committed_arrives_once_and_is_acknowledged() -> None:
    world = World()
    world.connect()
    for _ in range(20):
        world.commit()
        world.carry()
    assert world.collector.stored == world.store.everything()
    assert world.collector.duplicates == 0
    status = world.delivery.status
    assert (status.sent, status.resent, status.in_flight) == (20, 0, 0)
    assert status.acked == Position("0" * 15 + "1", 200)


def test_nothing_is_asked_for_without_a_link_or_without_news() -> None:
    world = World()
    world.commit()
    assert not world.store.wanted
    world.connect()
    world.carry()
    assert not world.store.wanted
    world.wait(1)
    assert not world.store.wanted


def test_a_store_that_had_nothing_is_asked_again_after_a_while() -> None:
    world = World()
    world.connect()
    world.serve()
    world.store.commit(10)  # its report got lost, or it could not read when it was asked
    world.wait(11)
    world.carry()
    assert world.collector.stored == world.store.everything()


def test_blocks_are_gathered_into_batches_below_the_brokers_limit() -> None:
    world = World()
    for _ in range(100):
        world.commit(size=100)
    world.connect(max_packet=8000)
    world.serve()
    sizes = [len(payload) for _, payload in world.wire.waiting]
    assert max(sizes) < 8000
    assert len(batch.decode(world.wire.waiting[0][1]).lease.blocks) > 1


def test_a_block_above_the_brokers_limit_waits_without_turning_in_circles() -> None:
    world = World()
    world.commit(10, size=9000)
    before = counters[Event.BATCH_REFUSED.value]
    world.connect(max_packet=8000)
    world.serve()
    for _ in range(10):
        world.commit()
        world.wait(20)
        assert not world.store.wanted
    assert world.delivery.status.blocked
    assert counters[Event.BATCH_REFUSED.value] == before + 1
    world.lose()
    world.connect(max_packet=20_000)
    world.serve()
    assert len(world.wire.waiting) == 1
    assert not world.delivery.status.blocked


def test_a_full_link_is_tried_again_at_the_next_tick() -> None:
    world = World()
    world.connect()
    world.wire.room = 0
    world.commit()
    world.serve()
    assert not world.wire.waiting
    world.wire.room = 10
    world.wait(1)
    world.carry()
    assert world.collector.stored == world.store.everything()


def test_the_window_is_as_wide_as_the_broker_allows() -> None:
    world = World(max_bytes=1 << 20)
    for _ in range(10):
        world.commit(size=3000)
    world.connect(receive_max=3, max_packet=8000)
    world.serve()
    assert len(world.wire.waiting) == 3


def test_without_an_answer_batches_are_sent_again_ever_more_slowly_one_by_one() -> None:
    world = World()
    world.connect()
    for _ in range(3):
        world.commit(size=1000)
        world.serve()
    while world.wire.waiting:
        world.take()
    world.queue.clear()
    before = counters[Event.BATCH_RESENT.value]
    sent_at = []
    for _ in range(100):
        world.wait(1)
        world.serve()
        while world.wire.waiting:
            world.take()
            sent_at.append(world.now)
    assert sent_at == [10.0, 30.0, 70.0]
    assert counters[Event.BATCH_RESENT.value] == before + 3 + 1 + 1
    assert world.delivery.status.resent == 3
    world.carry()
    world.carry()
    assert world.collector.stored == world.store.everything()


def test_a_collector_that_is_back_is_served_at_once() -> None:
    world = World()
    world.connect()
    world.commit()
    world.carry()
    world.commit()
    world.serve()
    world.take()
    world.queue.clear()  # the broker had nobody to give it to
    world.tell(again=True, retain=True)
    assert not world.store.wanted  # an old request, from before we connected
    world.tell(again=True)
    world.carry()
    assert world.collector.stored == world.store.everything()
    assert world.now == 0


def test_a_broker_that_confirms_slowly_is_given_time_and_a_stuck_one_is_left() -> None:
    world = World()
    world.connect()
    for _ in range(2):
        world.commit(size=1000)
        world.serve()
    world.wait(50)
    world.take()
    world.wait(50)
    assert not world.wire.reconnects
    world.wait(15)
    assert world.wire.reconnects == ["the broker confirms nothing"]


def test_an_acknowledgement_is_passed_on_again_when_it_moves_the_window_again() -> None:
    world = World()
    world.connect()
    world.commit()
    world.carry()
    world.store.acked = dict.fromkeys(world.store.acked, 0)  # it could not write it down
    world.lose()
    world.connect()
    world.carry()
    assert world.store.acked == {"0" * 15 + "1": 10}
    assert len(world.window) == 0


def test_what_is_not_our_acknowledgement_changes_nothing() -> None:
    world = World()
    world.connect()
    world.commit()
    world.serve()
    before = counters[Event.MESSAGE_REFUSED.value]
    epochs = {"result": {"0" * 15 + "1": (10, ())}}
    for topic, payload in (
        ("edge/v1/demo/d/pi-17/down/desired", ack.encode("pi-17", epochs)),
        (ACKS, ack.encode("pi-18", epochs)),
        (ACKS, b"{}"),
        (ACKS, b"\xff" * 100),
        (ACKS, ack.encode("pi-17", {"metric": epochs["result"]})),
    ):
        world.delivery.on_message(LinkMessage(topic, payload, retain=False), world.now)
    assert world.store.acked == {"0" * 15 + "1": 0}
    assert len(world.window) == 1
    assert counters[Event.MESSAGE_REFUSED.value] == before + 3
