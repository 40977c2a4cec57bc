"""The slot between two threads: nothing is lost uncounted, and no buffer is in two hands."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.ledger import Ledger
from agent.pipeline.slot import BUFFERS, Item, Slot
from agent.types import FrameInfo
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.pipeline.engine import Engine

ENGINE = engine()


def item(index: int, seq: int, engine: Engine = ENGINE) -> Item:
    return Item(index, FrameInfo(seq, 0, 1, 1), engine)


def produce(slot: Slot, count: int, stamp: Callable[[int, int], None] = lambda index, seq: None) -> None:
    for seq in range(count):
        index = slot.acquire()
        slot.begin()
        stamp(index, seq)
        slot.publish(item(index, seq))
    slot.end()


def settled(slot: Slot) -> Ledger:
    """Give the ledger once the capture thread is at a halt."""
    before = None
    while (ledger := slot.ledger()) != before or slot._preparing:
        before = ledger
        time.sleep(0.05)
    return ledger


class SlotMachine(RuleBasedStateMachine):
    """One thread plays both; it never calls what would wait."""

    @initialize(live=st.booleans())
    def begin(self, live: bool) -> None:
        self.slot = Slot(ENGINE)
        self.slot.live = live
        self.held: int | None = None
        self.begun = False
        self.taken: Item | None = None
        self.waiting: list[int] = []
        self.buffers: dict[int, int] = {}
        self.next = 0
        self.engine = ENGINE
        self.engines: dict[int, Engine] = {}
        self.expected = {"inferred": 0, "gated": 0, "overwritten": 0, "decode": 0, "input": 0}

    def room(self) -> bool:
        return self.held is None and (self.slot.live or len(self.waiting) < 2)

    @precondition(lambda self: self.room())
    @rule()
    def acquire(self) -> None:
        index = self.slot.acquire()
        assert index in range(BUFFERS)
        in_use = {self.buffers[seq] for seq in self.waiting} | ({self.taken.index} if self.taken else set())
        assert index not in in_use
        self.held = index

    @precondition(lambda self: self.held is not None and not self.begun)
    @rule(comes=st.booleans())
    def read(self, comes: bool) -> None:
        assert self.held is not None
        if comes:
            self.begun = True
            assert self.slot.begin() == (self.next + 1, self.engine)
            self.engines[self.next] = self.engine
        else:
            self.slot.give_back(self.held)
            self.held = None

    @precondition(lambda self: self.begun)
    @rule(good=st.booleans())
    def hand_over(self, good: bool) -> None:
        assert self.held is not None
        if good or not self.slot.live:
            if self.slot.live and self.waiting:
                self.expected["overwritten"] += 1
                self.waiting.clear()
            self.buffers[self.next] = self.held
            self.waiting.append(self.next)
            self.slot.publish(item(self.held, self.next, self.engines[self.next]))
        else:
            self.expected["input"] += 1
            self.slot.fail(self.held, "input")
        self.held, self.begun = None, False
        self.next += 1

    @precondition(lambda self: self.begun and self.slot.live)
    @rule()
    def gate(self) -> None:
        self.expected["gated"] += 1
        self.slot.gate()
        self.begun = False
        self.next += 1

    @precondition(lambda self: self.taken is None)
    @rule()
    def take(self) -> None:
        taken = self.slot.take(0)
        assert (taken.info.seq if taken else None) == (self.waiting.pop(0) if self.waiting else None)
        self.taken = taken
        if taken is not None:  # the engine that it began with, whatever was swapped meanwhile
            assert taken.engine is self.engines[taken.info.seq]

    @rule()
    def swap(self) -> None:
        self.engine = engine()
        self.slot.swap(self.engine)
        assert self.slot.engine is self.engine

    @invariant()
    def the_next_engine_is_told_only_when_no_frame_of_another_can_come(self) -> None:
        wanted = None if self.begun or self.waiting else self.engine
        assert self.slot.next_engine is wanted

    @precondition(lambda self: self.taken is not None)
    @rule(failed=st.sampled_from(["", "decode"]))
    def settle(self, failed: str) -> None:
        assert self.taken is not None
        self.expected[failed or "inferred"] += 1
        self.slot.settle(self.taken, failed)
        self.taken = None

    @invariant()
    def the_ledger_is_right_at_every_moment(self) -> None:
        ledger = self.slot.ledger()
        assert ledger.balanced
        assert ledger.captured == self.next + self.begun
        assert ledger.in_flight == self.begun + len(self.waiting) + (self.taken is not None)
        assert ledger.inferred == self.expected["inferred"]
        assert ledger.gated == self.expected["gated"]
        assert ledger.dropped.get("overwritten", 0) == self.expected["overwritten"]
        assert sum(ledger.failed.values()) == self.expected["decode"] + self.expected["input"]


TestSlot = SlotMachine.TestCase
TestSlot.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("live", [True, False])
def test_two_threads_never_hold_one_buffer_and_the_ledger_always_balances(live: bool) -> None:
    slot = Slot(ENGINE)
    slot.live = live
    stamps = [-1] * BUFFERS

    def stamp(index: int, seq: int) -> None:
        stamps[index] = seq
        if live and seq % 50 == 0:
            time.sleep(0.0005)

    capture = threading.Thread(target=produce, args=(slot, 2000, stamp), daemon=True)
    capture.start()
    seen: list[int] = []
    while not slot.over:
        taken = slot.take(0.1)
        assert slot.ledger().balanced
        if taken is not None:
            assert stamps[taken.index] == taken.info.seq
            if len(seen) % 7 == 0:
                time.sleep(0.0002)
            assert stamps[taken.index] == taken.info.seq
            seen.append(taken.info.seq)
            slot.settle(taken, "decode" if taken.info.seq % 10 == 0 else "")
    capture.join()
    ledger = slot.ledger()
    assert (ledger.captured, ledger.in_flight, ledger.balanced) == (2000, 0, True)
    assert seen == sorted(set(seen))
    assert seen[-1] == 1999
    assert len(seen) + ledger.dropped.get("overwritten", 0) == 2000
    if not live:
        assert seen == list(range(2000))
        assert ledger == Ledger(captured=2000, inferred=1800, failed={"decode": 200})


def test_a_recording_waits_for_room_and_goes_on_when_there_is_some() -> None:
    slot = Slot(ENGINE)
    slot.live = False
    capture = threading.Thread(target=produce, args=(slot, 5), daemon=True)
    capture.start()
    assert settled(slot) == Ledger(captured=2, in_flight=2)
    taken = slot.take(1)
    assert taken is not None
    assert settled(slot) == Ledger(captured=3, in_flight=3)
    while taken is not None:
        slot.settle(taken)
        taken = slot.take(1)
    capture.join()
    assert slot.ledger() == Ledger(captured=5, inferred=5)


def test_a_live_source_never_waits_although_nothing_is_taken() -> None:
    slot = Slot(ENGINE)
    produce(slot, 100)
    assert slot.ledger() == Ledger(captured=100, dropped={"overwritten": 99}, in_flight=1)
    taken = slot.take(0)
    assert taken is not None
    assert taken.info.seq == 99


def test_taking_waits_for_a_frame_but_not_longer_than_asked() -> None:
    slot = Slot(ENGINE)
    began = time.monotonic()
    assert slot.take(0.03) is None
    assert time.monotonic() - began >= 0.03
    timer = threading.Timer(0.03, produce, args=(slot, 1))
    timer.start()
    began = time.monotonic()
    assert slot.take(10) is not None
    assert time.monotonic() - began < 5
    timer.join()


def test_the_end_wakes_who_waits_and_is_over_when_all_is_taken() -> None:
    slot = Slot(ENGINE)
    timer = threading.Timer(0.03, slot.end)
    timer.start()
    began = time.monotonic()
    assert slot.take(10) is None
    assert time.monotonic() - began < 5
    timer.join()
    assert slot.over

    slot = Slot(ENGINE)
    produce(slot, 1)
    assert not slot.over
    assert slot.take(0) is not None
    assert slot.over
    assert slot.take(10) is None


def test_a_lull_begins_when_the_infer_thread_has_done_all_that_there_was() -> None:
    slot = Slot(ENGINE)
    assert not slot.lull(0.01)  # nothing has been done
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(slot.lull(5)))
    thread.start()
    index = slot.acquire()
    slot.begin()
    slot.publish(item(index, 0))
    taken = slot.take(1)
    assert taken is not None
    time.sleep(0.02)
    assert found == []
    slot.settle(taken)
    time.sleep(0.02)
    assert found == []  # the result may not be sent yet
    assert slot.take(0) is None
    thread.join()
    assert found == [True]
    slot.take(0)
    assert not slot.lull(0.01)  # it has been idle for a while: the next frame may come any moment


def test_while_a_model_is_loaded_one_more_frame_of_a_camera_may_wait() -> None:
    slot = Slot(ENGINE)

    def publish(seq: int) -> None:
        index = slot.acquire()
        slot.begin()
        slot.publish(item(index, seq))

    slot.be_patient(60)
    for seq in range(3):
        publish(seq)
    assert slot.ledger().dropped == {"overwritten": 1}
    slot.be_patient(0)
    taken = slot.take(0)
    assert taken is not None
    assert taken.info.seq == 1
    publish(3)
    publish(4)
    assert slot.ledger().dropped == {"overwritten": 3}
    assert slot.ledger().balanced
