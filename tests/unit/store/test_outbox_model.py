"""The outbox against a plain model: lists in memory that no crash can touch."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.blocks import Lease, Position, unpack
from agent.store.chain import SegmentName
from agent.store.outbox import Outbox
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import acknowledge


@dataclass
class Epoch:
    """What went in, by sequence number from 1; how much of it is durable, and how much delivered."""

    name: str
    records: list[int] = field(default_factory=list)
    committed: int = 0
    acked: int = 0


class OutboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.folders = (self.root / str(number) for number in itertools.count())
        self.folder = next(self.folders)
        self.folder.mkdir()
        self.count = itertools.count()
        self.epochs: list[Epoch] = []

    @initialize(segment_bytes=st.sampled_from([1, 12_288]))
    def begin(self, segment_bytes: int) -> None:
        self.settings = StoreSettings(block_results=5, block_bytes=600, segment_bytes=segment_bytes)
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder, clock=ManualClock(), settings=self.settings)
        self.epochs.append(Epoch(self.outbox.epoch))

    @property
    def live(self) -> Epoch:
        return self.epochs[-1]

    @rule(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=9), flush=st.booleans())
    def put(self, sizes: list[int], flush: bool) -> None:
        numbers = [next(self.count) for _ in sizes]
        records = [
            {"n": n, "x": random.Random(n).randbytes(size // 2).hex()}
            for n, size in zip(numbers, sizes, strict=True)
        ]
        self.live.records += numbers
        assert self.outbox.put(records, {"p": {"as_of": numbers[-1]}}) == len(self.live.records)
        if flush:
            self.flush()

    @rule()
    def flush(self) -> None:
        assert self.outbox.flush() == len(self.live.records)
        self.live.committed = len(self.live.records)

    @rule(room=st.integers(1, 2000), skip=st.integers(0, 40))
    def drain(self, room: int, skip: int) -> None:
        """Lease everything from the cursors, or from some place in an epoch, to the end."""
        waiting = [epoch for epoch in self.epochs if epoch.acked < epoch.committed]
        after = None
        expected = {epoch.name: epoch.acked + 1 for epoch in waiting}
        if skip and waiting:
            epoch = waiting[skip % len(waiting)]
            after = Position(epoch.name, skip)
            expected = {e.name: e.acked + 1 for e in waiting[waiting.index(epoch) :]}
            expected[epoch.name] = max(epoch.acked, skip) + 1
        order = list(expected)
        while (lease := self.outbox.lease(after, room)) is not None:
            assert order.index(lease.epoch) >= 0
            self.check(lease, expected[lease.epoch], room)
            for earlier in order[: order.index(lease.epoch)]:
                assert expected[earlier] > self.by_name(earlier).committed
            expected[lease.epoch] = lease.last + 1
            after = Position(lease.epoch, lease.last)
        assert all(seq > self.by_name(name).committed for name, seq in expected.items())

    def check(self, lease: Lease, seq: int, room: int) -> None:
        epoch = self.by_name(lease.epoch)
        assert lease.first <= seq <= lease.blocks[0].last
        assert lease.low == min(epoch.acked + 1, lease.first)
        assert lease.live == (epoch is self.live)
        assert lease.last <= epoch.committed
        assert lease.size <= room or len(lease.blocks) == 1
        following = lease.first
        for block in lease.blocks:
            assert block.first == following
            following = block.last + 1
            records, ledgers, _ = unpack(block)
            assert [record["n"] for record in records] == epoch.records[block.first - 1 : block.last]
            assert ledgers == {"p": {"as_of": epoch.records[block.last - 1]}}

    @rule(which=st.integers(0, 2), share=st.sampled_from([0.2, 0.5, 0.9, 1.0, 1.2]))
    def ack(self, which: int, share: float) -> None:
        waiting = [epoch for epoch in self.epochs if epoch.acked < epoch.committed] or self.epochs
        epoch = waiting[which % len(waiting)]
        upto = round(share * len(epoch.records))
        if epoch is not self.live:
            upto = min(upto, epoch.committed)  # a collector may know more of an epoch than a restored disk
        there = epoch.acked < upto <= epoch.committed
        assert acknowledge(self.outbox, epoch.name, round(share * len(epoch.records))) == (
            upto - epoch.acked if there else 0
        )
        if there:
            epoch.acked = upto

    @rule(upto=st.integers(-5, 50))
    def ack_a_stranger(self, upto: int) -> None:
        assert acknowledge(self.outbox, "f" * 16, upto) == 0

    @precondition(lambda self: len(self.epochs) < 8)
    @rule()
    def close_and_reopen(self) -> None:
        self.outbox.close()
        self.reopened()

    @precondition(lambda self: len(self.epochs) < 8)
    @rule()
    def crash_and_reopen(self) -> None:
        """What a SIGKILL leaves is what is in the files now, the logs beside them included."""
        crashed = next(self.folders)
        shutil.copytree(self.folder, crashed, ignore=shutil.ignore_patterns("*-shm"))
        self.outbox.close()
        shutil.rmtree(self.folder)
        self.folder = crashed
        self.reopened()

    def reopened(self) -> None:
        del self.live.records[self.live.committed :]
        self.epochs = [epoch for epoch in self.epochs if epoch.acked < epoch.committed]
        self.open()

    @invariant()
    def status_is_that_of_the_model(self) -> None:
        if not self.epochs:
            return
        status = self.outbox.status()
        assert status.epoch == self.live.name
        assert status.accepted == len(self.live.records)
        assert (status.committed, status.acked) == (self.live.committed, self.live.acked)
        assert status.backlog == sum(epoch.committed - epoch.acked for epoch in self.epochs)

    @invariant()
    def nothing_delivered_stays_on_disk_but_in_the_newest_segment(self) -> None:
        if not self.epochs:
            return
        firsts: dict[str, list[int]] = {}
        for path in (self.folder / "segments").glob("*.db"):
            name = SegmentName.parse(path.name)
            assert name is not None
            firsts.setdefault(name.epoch, []).append(name.first)
        for name_of_epoch, found in firsts.items():
            epoch = self.by_name(name_of_epoch)
            ends = [first - 1 for first in sorted(found)[1:]]
            if epoch is not self.live:
                ends.append(epoch.committed)
            assert all(end > epoch.acked for end in ends)

    def by_name(self, name: str) -> Epoch:
        [epoch] = [epoch for epoch in self.epochs if epoch.name == name]
        return epoch

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.root)


TestOutboxAgainstAModel = OutboxMachine.TestCase
TestOutboxAgainstAModel.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)
