"""When the oldest record was made that the collector has not got."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from agent.store.oldest import Oldest
from agent.store.outbox import Outbox
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_that_of_the_oldest_block_that_waits_and_none_when_all_is_delivered(tmp_path: Path) -> None:
    clock, oldest = ManualClock(), Oldest()
    (tmp_path / "data").mkdir()
    with closing(Outbox(tmp_path / "data", clock=clock)) as outbox:
        queues = outbox.queues.values()
        oldest.look(queues)
        assert oldest.ns == 0
        for _ in range(2):
            captured_ns = round(clock.monotonic() * 1e9)
            outbox.put([{"kind": "x", "captured_ns": captured_ns}], {})
            outbox.flush()
            clock.tick(100)
        oldest.look(queues)
        first = oldest.ns
        assert clock.wall_ns() - first == 200 * 10**9
        outbox.ack(outbox.epoch, 1)
        oldest.look(queues)
        assert oldest.ns - first == 100 * 10**9
        outbox.ack(outbox.epoch, 2)
        oldest.look(queues)
        assert oldest.ns == 0
