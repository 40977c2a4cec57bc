"""From workers to the store: dated, and so much at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent.events import counters
from agent.supervision.footage import MEDIA_AT_ONCE, UNITS_AT_ONCE, Footage
from agent.workers.media_messages import Medium, Sent
from tests.simulators.clocks import ManualClock
from tests.simulators.media_made import jpeg, memory

if TYPE_CHECKING:
    from agent import media

S = 1_000_000_000


class Store:
    """Closes what it takes."""

    def __init__(self) -> None:
        self.kept: list[media.Medium] = []
        self.full = False

    def keep(self, medium: media.Medium) -> bool:
        if not self.full:
            os.close(medium.fd)
            self.kept.append(medium)
        return not self.full


def sent(size: int = 1000, captured_ns: int = 990 * S) -> Sent:
    message = Medium(kind="snapshot", events=("glyph.seen",), frame=3, captured_ns=captured_ns)
    return Sent(message, memory(jpeg(1)), size)


def test_a_medium_is_dated_by_how_long_ago_its_frame_was_captured() -> None:
    clock, store = ManualClock(), Store()
    Footage(store, clock).take("door", [sent(), sent(captured_ns=1 << 61)])
    assert [one.wall_ns for one in store.kept] == [clock.wall - 10 * S, clock.wall]
    assert (store.kept[0].pipeline, store.kept[0].events, store.kept[0].frame) == ("door", ("glyph.seen",), 3)


def test_a_worker_that_sends_without_end_is_held_to_its_allowance_and_others_are_not() -> None:
    clock, store = ManualClock(), Store()
    footage = Footage(store, clock)
    before = counters["media.refused"]
    flood = [sent() for _ in range(MEDIA_AT_ONCE + 10)]
    footage.take("door", flood)
    assert (len(store.kept), counters["media.refused"]) == (MEDIA_AT_ONCE, before + 10)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(flood[-1].fd)
    footage.take("gate", [sent()])
    clock.tick(2)
    footage.take("door", [sent() for _ in range(5)])
    assert len(store.kept) == MEDIA_AT_ONCE + 1 + 2


def test_its_bytes_are_counted_too() -> None:
    clock, store = ManualClock(), Store()
    footage = Footage(store, clock)
    half = UNITS_AT_ONCE * (64 << 10) // 2
    footage.take("door", [sent(half) for _ in range(4)])
    assert len(store.kept) == 2
    clock.tick(half / (1 << 20) + 1)
    footage.take("door", [sent(half) for _ in range(2)])
    assert len(store.kept) in {3, 4}


def test_what_the_store_does_not_take_is_closed_and_counted() -> None:
    clock, store = ManualClock(), Store()
    store.full = True
    before = counters["media.refused"]
    one = sent()
    Footage(store, clock).take("door", [one])
    assert counters["media.refused"] == before + 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(one.fd)
