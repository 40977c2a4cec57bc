"""Delivery driven at random through a link that loses things: in the end everything has arrived."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.simulators.delivery_world import World


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
