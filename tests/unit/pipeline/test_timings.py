from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from agent.histogram import LONGEST_US, MOST_BUCKETS, Histogram
from agent.pipeline.slot import Item
from agent.pipeline.timings import Timings
from agent.processes.ipc import MAX_PACKET
from agent.types import FrameInfo
from agent.workers.messages import Timings as Told
from agent.workers.messages import parse
from agent.workers.outlet import SocketOutlet
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from collections.abc import Mapping

MS = 1_000_000


def item(captured: int, began: int, ready: int) -> Item:
    return Item(0, FrameInfo(0, captured, 1, 1), engine(), began_ns=began, ready_ns=ready)


def test_the_stages_of_a_frame_follow_each_other_and_the_total_is_all_of_them() -> None:
    timings = Timings()
    timings.frame(item(0, 1 * MS, 3 * MS), 7 * MS, 15 * MS, 31 * MS)
    timings.sent(40 * MS, 72 * MS)
    spans = {name: one.max_us / 1000 for name, one in timings.take().items()}
    assert spans == {
        "capture_wait": 1,
        "preprocess": 2,
        "queue": 4,
        "infer": 8,
        "decode": 16,
        "send": 32,
        "total": 72,
    }
    assert timings.take() == {}


def test_a_frame_dated_ahead_of_the_clock_took_no_time() -> None:
    timings = Timings()
    timings.frame(item(90 * MS, 1 * MS, 3 * MS), 7 * MS, 15 * MS, 31 * MS)
    assert timings.take()["capture_wait"].max_us == 0


class Packets(SocketOutlet):
    """An outlet that keeps what it would send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.begun = ()

    def say(self, message: Mapping[str, object]) -> None:
        self.sent.append(orjson.dumps(message))


@example([MOST_BUCKETS] * 7)
@given(st.lists(st.integers(1, MOST_BUCKETS), min_size=7, max_size=7))
def test_whatever_was_counted_fits_packets_and_comes_through_whole(sizes: list[int]) -> None:
    timings, outlet = Timings(), Packets()
    names = ("capture_wait", "preprocess", "queue", "infer", "decode", "send", "total")
    counted = {
        name: Histogram(dict.fromkeys(range(size), (1 << 32) - 1), (1 << 53) - 1, LONGEST_US)
        for name, size in zip(names, sizes, strict=True)
    }
    timings._stages = dict(counted)
    while stages := timings.take():
        outlet.timings(stages)
    assert max(map(len, outlet.sent)) <= MAX_PACKET
    arrived: dict[str, object] = {}
    for packet in outlet.sent:
        message = parse(packet)
        assert isinstance(message, Told)
        arrived |= {name: one.histogram().to_json() for name, one in message.stages.items()}
    assert arrived == {name: one.to_json() for name, one in counted.items()}
