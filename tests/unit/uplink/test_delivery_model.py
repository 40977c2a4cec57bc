"""Delivery driven at random through a link that loses things: in the end all has come, or is known lost."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.blocks import STREAMS, Stream
from tests.simulators.delivery_world import World


class DeliveryMachine(RuleBasedStateMachine):
    """Whatever is lost on the way: what is acknowledged is stored, and in the end all of it is."""

    @initialize(bytes_per_s=st.sampled_from([0, 2000]))
    def begin(self, bytes_per_s: int) -> None:
        self.world = World(bytes_per_s=bytes_per_s)
        self.receive_max = 1
        self.backup = deepcopy(self.world.collector)
        self.old_words: list[bytes] = []

    @precondition(lambda self: not self.world.store.away)
    @rule(
        stream=st.sampled_from([*STREAMS, "result", "result"]),
        count=st.integers(1, 5),
        size=st.sampled_from([0, 0, 500, 3000, 9000, 18_000]),
    )
    def commit(self, stream: Stream, count: int, size: int) -> None:
        self.world.commit(count, size, stream)

    @precondition(
        lambda self: not (self.world.wire.up or self.world.store.away) and len(self.world.store.committed) < 9
    )
    @rule()
    def restart_the_device(self) -> None:
        """Its memory of what was sent is gone with it; the outbox opens a new epoch."""
        self.world = World(before=self.world)

    @precondition(lambda self: not self.world.store.away and len(self.world.store.committed) < 9)
    @rule(delivered=st.booleans())
    def restart_without_the_disk(self, delivered: bool) -> None:
        """What the collector says reaches the device before the disk does, which may know less."""
        if delivered:
            self.world.serve()
            self.world.bring()
        self.world = World(before=self.world, away=True)
        self.connect(receive_max=65_535, max_packet=1 << 20)
        self.collector_tells(again=False, retain=True)

    @precondition(lambda self: self.world.store.away)
    @rule()
    def bring_the_disk_back(self) -> None:
        self.world.bring_the_disk_back()

    @precondition(lambda self: not self.world.wire.up)
    @rule(receive_max=st.sampled_from([1, 3, 65_535]), max_packet=st.sampled_from([1 << 20, 17_000, 5000]))
    def connect(self, receive_max: int, max_packet: int) -> None:
        self.receive_max = receive_max
        self.world.connect(receive_max=receive_max, max_packet=max_packet)

    @precondition(lambda self: self.world.wire.up)
    @rule()
    def lose(self) -> None:
        self.world.lose()

    @rule()
    def evict(self) -> None:
        self.world.store.evict()

    @precondition(lambda self: self.world.store.wanted)
    @rule()
    def answer(self) -> None:
        self.world.answer()

    @precondition(lambda self: self.world.wire.waiting)
    @rule()
    def broker_takes(self) -> None:
        self.world.take()

    @precondition(lambda self: self.world.queue)
    @rule(index=st.integers(0, 50))
    def broker_drops(self, index: int) -> None:
        self.world.queue.pop(index % len(self.world.queue))

    @precondition(lambda self: self.world.queue)
    @rule(index=st.integers(0, 50))
    def collector_stores(self, index: int) -> None:
        self.world.collector.take(self.world.queue.pop(index % len(self.world.queue)))

    @precondition(lambda self: self.world.queue)
    @rule(index=st.integers(0, 50))
    def broker_repeats(self, index: int) -> None:
        self.world.queue.append(self.world.queue[index % len(self.world.queue)])

    @rule()
    def back_the_collector_up(self) -> None:
        self.backup = deepcopy(self.world.collector)

    @rule()
    def restore_the_collector(self) -> None:
        self.world.collector.restore(self.backup)

    @precondition(lambda self: self.world.wire.up)
    @rule(again=st.booleans(), retain=st.booleans())
    def collector_tells(self, again: bool, retain: bool) -> None:
        self.old_words.append(self.world.tell(again=again, retain=retain))

    @precondition(lambda self: self.world.wire.up and self.old_words)
    @rule(index=st.integers(0, 50))
    def an_old_word_comes_late(self, index: int) -> None:
        self.world.hear(self.old_words[index % len(self.old_words)])

    @precondition(lambda self: not self.world.store.away)
    @rule(times=st.integers(3, 8))
    def fall_behind(self, times: int) -> None:
        """More is committed than anybody takes, while the link stays as it is."""
        for _ in range(times):
            self.world.commit(1, 900)
            self.world.wait(1.0)

    @rule(seconds=st.sampled_from([0.1, 1.0, 11.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @invariant()
    def no_more_is_on_its_way_than_the_broker_allows(self) -> None:
        asked = sum(bool(lane.asked) for lane in self.world.lanes)
        assert self.world.in_flight + asked <= min(32, self.receive_max)

    @invariant()
    def what_is_acknowledged_is_stored_or_known_to_be_lost(self) -> None:
        for (stream, epoch), upto in self.world.store.acked.items():
            assert all((stream, epoch, seq) in self.world.collector.ever for seq in range(1, upto + 1))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        if world.store.away:
            world.bring_the_disk_back()
        world.serve()
        if not world.wire.up or world.wire.limit < 16 << 10:
            world.lose()
            world.connect()
        for _ in range(400):
            world.carry()
            world.wait(15)
            if world.complete and not world.in_flight and world.store.drained:
                break
        assert world.complete
        assert world.in_flight == 0
        assert world.store.drained
        world.close()


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
