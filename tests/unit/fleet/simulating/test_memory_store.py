"""The store of a simulated device keeps the outbox's rules."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.blocks import Position, unpack
from agent.fleet.simulating.outbox import MemoryStore
from agent.slots import Change, Note
from agent.store.reports import Changed, Committed, Leased
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from agent.blocks import Lease


class World:
    """A store, and all that it has said."""

    def __init__(self, memory: int = 1 << 20) -> None:
        self.said: list[object] = []
        settings = StoreSettings(block_results=4, memory_bytes=memory)
        self.store = MemoryStore(ManualClock(), settings, self.said.append)
        self.count = 0

    def put(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            self.store.put([{"n": self.count, "noise": Random(self.count).randbytes(200).hex()}], {})
        self.store.turn(0, everything=True)

    def lease(self, after: int = 0, most: int = 1 << 20) -> Lease | None:
        self.store.lease("result", Position(self.store.epoch, after) if after else None, most, 7)
        self.store.turn(0)
        last = self.said[-1]
        assert isinstance(last, Leased)
        return last.lease


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=20), st.sampled_from([800, 1 << 20])
)
def test_each_record_is_leased_until_it_is_acknowledged_or_declared_lost(
    steps: list[tuple[int, int]], memory: int
) -> None:
    world = World(memory)
    for puts, upto in steps:
        world.put(puts)
        world.store.ack("result", world.store.epoch, upto)
        acked = world.store.acked
        lease = world.lease()
        if lease is None:
            assert acked == world.count
            continue
        sent = {record["n"] for block in lease.blocks for record in unpack(block).records}
        lost = {seq for loss in lease.lost for seq in range(loss.first, loss.last + 1)}
        assert set(range(acked + 1, world.count + 1)) <= sent | lost
        assert not sent & lost
        assert min(sent) >= lease.low or min(sent) <= acked
        assert world.store.pending == world.count - acked


def test_what_was_never_committed_cannot_be_acknowledged() -> None:
    world = World()
    world.put(3)
    world.store.ack("result", world.store.epoch, 4)
    world.store.ack("result", "f" * 16, 3)
    assert world.store.acked == 0


def test_a_lease_goes_on_after_the_last_one_within_its_bound() -> None:
    world = World()
    world.put(12)
    first = world.lease(most=1)
    assert first is not None
    assert (first.first, first.last) == (1, 4)
    second = world.lease(after=4)
    assert second is not None
    assert (second.first, second.last) == (5, 12)
    assert world.lease(after=12) is None


def test_a_change_is_chained_to_the_audit_log_and_told() -> None:
    world = World()
    for token in (1, 2):
        world.store.change(Change(notes=(Note("model.wanted", "sim"),)), token)
    one, two = (said for said in world.said if isinstance(said, Changed))
    assert (one.token, one.audit[0], two.token, two.audit[0]) == (1, 1, 2, 2)
    assert one.audit[1] != two.audit[1]


def test_a_commit_is_told_with_its_records() -> None:
    world = World()
    world.put(3)
    assert Committed("result", world.store.epoch, 3, 3) in world.said
