"""Three streams, caps, a disk that comes and goes, crashes: all is delivered once, or declared lost."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.blocks import STREAMS, Position, Stream, unpack
from agent.errors import StoreBusy
from agent.store.chain import SegmentName
from agent.store.outbox import Outbox
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import locked

streams = st.sampled_from(STREAMS)


@dataclass
class Epoch:
    """What went into one epoch of one stream, by sequence number from 1."""

    stream: Stream
    name: str
    records: list[int] = field(default_factory=list)
    acked: int = 0
    known: dict[int, str] = field(default_factory=dict)
    """What was seen of each record so far: "held" or "lost"."""


class LossesMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.folders = (self.root / str(number) for number in itertools.count())
        self.folder = next(self.folders)
        self.folder.mkdir()
        self.count = itertools.count()
        self.epochs: list[Epoch] = []
        self.away: Path | None = None

    @initialize(
        max_bytes=st.sampled_from([40_000, 120_000, 1 << 30]), memory=st.sampled_from([2_000, 1 << 20])
    )
    def begin(self, max_bytes: int, memory: int) -> None:
        self.settings = StoreSettings(
            block_results=4, segment_bytes=1, max_bytes=max_bytes, memory_bytes=memory
        )
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder, clock=ManualClock(), settings=self.settings)
        assert self.outbox.attached == (self.away is None)
        self.epochs += [Epoch(stream, self.outbox.epoch) for stream in STREAMS]

    def live(self, stream: Stream) -> Epoch:
        return next(epoch for epoch in reversed(self.epochs) if epoch.stream == stream)

    @rule(stream=streams, sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=9))
    def put(self, stream: Stream, sizes: list[int]) -> None:
        epoch = self.live(stream)
        for size in sizes:
            n = next(self.count)
            self.outbox.put([{"n": n, "x": random.Random(n).randbytes(size).hex()}], {}, stream)
            epoch.records.append(n)
        self.flush()

    @rule()
    def flush(self) -> None:
        try:
            self.outbox.flush()
        except StoreBusy:
            assert self.away is not None
            memory = sum(queue.in_memory() for queue in self.outbox.queues.values())
            assert memory <= self.settings.memory_bytes

    @precondition(lambda self: self.away is None)
    @rule()
    def take_the_disk_away(self) -> None:
        """No file can be made any more, and none can be read."""
        for queue in self.outbox.queues.values():
            queue.close()
        self.away = self.folder / "away"
        (self.folder / "segments").rename(self.away)
        (self.folder / "segments").write_bytes(b"")

    @precondition(lambda self: self.away is not None)
    @rule(refused=st.integers(0, 2))
    def bring_it_back(self, refused: int) -> None:
        """At first it may still let files be made, and nothing be written to them."""
        (self.folder / "segments").unlink()
        assert self.away is not None
        self.away.rename(self.folder / "segments")
        self.away = None
        if refused and self.outbox.attached:
            with ExitStack() as locks:
                for queue in self.outbox.queues.values():
                    if queue.builder.closed:
                        name = SegmentName(queue.stream, self.outbox.epoch, queue.builder.closed[0].first)
                        locks.enter_context(locked(self.folder / "segments" / str(name)))
                for _ in range(refused):
                    with suppress(StoreBusy):
                        self.outbox.flush()
        self.flush()

    @precondition(lambda self: self.away is None)
    @rule(stream=streams, refused=st.integers(0, 3), skipped=st.integers(0, 3), rolls=st.integers(0, 2))
    def skip_refuse_and_roll(self, stream: Stream, refused: int, skipped: int, rolls: int) -> None:
        """What was delivered from memory leaves a hole before what the disk then refuses for a while."""
        self.ack(stream, len(self.of(stream)) - 1, 1.0)
        self.take_the_disk_away()
        if skipped:
            self.put(stream, [100] * skipped)
            self.deliver_from_memory(stream, 20_000, collected=True)
        self.put(stream, [100])
        self.bring_it_back(refused)
        for _ in range(rolls):
            self.put(stream, [100])
        self.drain(stream, 20_000)

    @precondition(lambda self: self.away is None)
    @rule(stream=streams, room=st.integers(1, 20_000))
    def drain(self, stream: Stream, room: int) -> None:
        """Lease from the cursors to the end: each record is held once, with its content, or declared lost."""
        after = None
        seen: dict[str, dict[int, str]] = {epoch.name: {} for epoch in self.of(stream)}
        while (lease := self.outbox.lease(after, room, stream)) is not None:
            assert after != Position(lease.epoch, lease.last)
            epoch = self.by_name(stream, lease.epoch)
            found = seen[lease.epoch]
            for loss in lease.lost:
                for seq in range(loss.first, loss.last + 1):
                    assert found.setdefault(seq, "lost") == "lost"
            for block in lease.blocks:
                numbers = [record["n"] for record in unpack(block).records]
                assert numbers == epoch.records[block.first - 1 : block.last]
                for seq in range(block.first, block.last + 1):
                    assert seq not in found
                    found[seq] = "held"
            held = [seq for seq, what in found.items() if what == "held" and seq > epoch.acked]
            assert not held or lease.low <= min(held)
            after = Position(lease.epoch, lease.last)
        for epoch in self.of(stream):
            found = seen[epoch.name]
            wanted = range(epoch.acked + 1, len(epoch.records) + 1)
            assert [seq for seq in wanted if seq not in found] == []
            for seq in wanted:
                assert not (epoch.known.get(seq) == "lost" and found[seq] == "held")
            epoch.known = found

    @precondition(lambda self: self.away is None)
    @rule(stream=streams, which=st.integers(0, 3), share=st.floats(0, 1))
    def ack(self, stream: Stream, which: int, share: float) -> None:
        epoch = self.of(stream)[which % len(self.of(stream))]
        upto = round(share * len(epoch.records))
        self.outbox.ack(epoch.name, upto, stream)
        self.outbox.settle()
        epoch.acked = max(epoch.acked, upto)

    @precondition(lambda self: self.away is not None)
    @rule(stream=streams, room=st.integers(1, 20_000), collected=st.booleans())
    def deliver_from_memory(self, stream: Stream, room: int, collected: bool) -> None:
        """While the disk is away, what waits in memory is sent in order, and its acknowledgement counts."""
        epoch = self.live(stream)
        upto = epoch.acked
        after = None
        try:
            while (lease := self.outbox.lease(after, room, stream)) is not None:
                after = Position(lease.epoch, lease.last)
                if lease.epoch != epoch.name:  # of an earlier one the rest is lost, as was known before
                    assert not lease.blocks
                    continue
                lost = {seq for loss in lease.lost for seq in range(loss.first, loss.last + 1)}
                assert lost | set(range(1, upto + 1)) >= set(range(1, lease.first))
                for block in lease.blocks:
                    numbers = [record["n"] for record in unpack(block).records]
                    assert numbers == epoch.records[block.first - 1 : block.last]
                upto = lease.last
        except StoreBusy:
            return  # something older is on the disk
        if collected and upto > epoch.acked:
            self.outbox.ack(epoch.name, upto, stream)
            epoch.acked = upto
            with suppress(StoreBusy):
                self.outbox.settle()

    @precondition(lambda self: len(self.epochs) < 12)
    @rule(crash=st.booleans())
    def reopen(self, crash: bool) -> None:
        self.flush()
        status = self.outbox.status()
        for stream in STREAMS:  # what was in memory alone is gone with the process
            live = self.live(stream)
            del live.records[max(status.streams[stream].committed, live.acked) :]
        if self.away is not None:
            crash = True
        if crash:
            crashed = next(self.folders)
            shutil.copytree(self.folder, crashed, ignore=shutil.ignore_patterns("*-shm"))
            self.outbox.close()
            shutil.rmtree(self.folder)
            self.folder = crashed
            self.away = self.away and crashed / "away"
        else:
            self.outbox.close()
        self.open()

    @invariant()
    def the_cap_is_kept_and_every_loss_is_counted(self) -> None:
        if not self.epochs or self.away is not None:
            return
        status = self.outbox.status()
        assert status.size <= max(self.settings.max_bytes, 100_000)
        for stream, one in status.streams.items():
            lost = sum(what == "lost" for epoch in self.of(stream) for what in epoch.known.values())
            assert one.evicted + one.lost >= lost

    def of(self, stream: Stream) -> list[Epoch]:
        return [epoch for epoch in self.epochs if epoch.stream == stream]

    def by_name(self, stream: Stream, name: str) -> Epoch:
        [epoch] = [epoch for epoch in self.of(stream) if epoch.name == name]
        return epoch

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.root)


TestLossesAgainstAModel = LossesMachine.TestCase
TestLossesAgainstAModel.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
