"""The ordered window, driven at random against a plain model."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.blocks import Block, Lease, Position
from agent.link.window import MAX_BATCHES, Window

EPOCHS = ["a" * 16, "b" * 16, "c" * 16]


def lease(first: int, count: int, size: int = 10, epoch: str = EPOCHS[0]) -> Lease:
    return Lease(epoch, 1, (Block(first, count, b"x" * size),), live=True)


def filled(window: Window, batches: int) -> Window:
    for n in range(batches):
        window.sent(lease(1 + 10 * n, 10), now=0.0)
    return window


@dataclass
class Batch:
    epoch: str
    last: int
    size: int
    acked: bool = False


class WindowMachine(RuleBasedStateMachine):
    """The model: a list of batches, cut at the front only, and the time of the last news."""

    @initialize()
    def begin(self) -> None:
        self.window = Window(max_bytes=1000, resend_s=10, resend_cap_s=40)
        self.batches: list[Batch] = []
        self.now = 0.0
        self.moved = 0.0
        self.patience = 10.0
        self.narrow = False
        self.limit = MAX_BATCHES
        self.epoch = 0
        self.seq = 0

    @rule(count=st.integers(1, 64), size=st.integers(1, 600))
    def send(self, count: int, size: int) -> None:
        if not self.window.room:
            return
        if not self.batches:
            self.moved = self.now
        self.window.sent(lease(self.seq + 1, count, size, EPOCHS[self.epoch]), self.now)
        self.seq += count
        self.batches.append(Batch(EPOCHS[self.epoch], self.seq, size))

    @precondition(lambda self: self.epoch < len(EPOCHS) - 1)
    @rule()
    def next_epoch(self) -> None:
        self.epoch += 1
        self.seq = 0

    @rule(epoch=st.sampled_from(EPOCHS), upto=st.integers(0, 400))
    def acknowledge(self, epoch: str, upto: int) -> None:
        news = [b for b in self.batches if not b.acked and b.epoch == epoch and b.last <= upto]
        for one in news:
            one.acked = True
        while self.batches and self.batches[0].acked:
            self.batches.pop(0)
        if news:
            self.narrow, self.patience, self.moved = False, 10.0, self.now
        assert self.window.acknowledged(epoch, upto, self.now) is bool(news)

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def progress(self) -> None:
        self.moved = max(self.moved, self.now)
        self.window.progressed(self.now)

    @rule(receive_max=st.integers(0, 100))
    def resize(self, receive_max: int) -> None:
        self.limit = max(1, min(MAX_BATCHES, receive_max))
        self.window.resize(receive_max)

    @rule()
    def reset(self) -> None:
        assert self.window.reset() == len(self.batches)
        self.batches.clear()

    @rule()
    def time_out(self) -> None:
        if self.window.overdue(self.now):
            self.narrow, self.patience = True, min(40.0, 2 * self.patience)
            self.window.narrow()
            self.reset()

    @rule()
    def hurry(self) -> None:
        self.patience = 10.0
        self.window.hurry()

    @invariant()
    def it_agrees_with_the_model(self) -> None:
        held = sum(b.size for b in self.batches if not b.acked)
        assert len(self.window) == len(self.batches)
        assert self.window.bytes == held
        last = self.batches[-1] if self.batches else None
        assert self.window.next_after() == (Position(last.epoch, last.last) if last else None)
        assert self.window.overdue(self.now) is (
            bool(self.batches) and self.now - self.moved >= self.patience
        )
        if not self.batches:
            assert self.window.room == 1000
        elif len(self.batches) >= (1 if self.narrow else self.limit):
            assert self.window.room == 0
        else:
            assert self.window.room == max(0, 1000 - held)


TestWindow = WindowMachine.TestCase


def test_the_next_batch_begins_after_the_last_one_sent() -> None:
    window = filled(Window(), 3)
    assert window.next_after() == Position(EPOCHS[0], 30)
    window.acknowledged(EPOCHS[0], 30, now=1.0)
    assert window.next_after() is None


def test_a_lost_link_begins_again_after_what_is_acknowledged() -> None:
    window = filled(Window(), 3)
    assert window.reset() == 3
    assert window.next_after() is None
    assert window.room


def test_a_broker_that_allows_nothing_still_gets_one_batch_at_a_time() -> None:
    window = Window()
    window.resize(0)
    assert window.room
    assert not filled(window, 1).room


def test_silence_makes_the_window_narrow_and_an_acknowledgement_opens_it() -> None:
    window = filled(Window(resend_s=10, resend_cap_s=40), 5)
    assert not window.overdue(9.9)
    assert window.overdue(10.0)
    window.narrow()
    window.reset()
    filled(window, 1)
    assert not window.room
    assert not window.overdue(19.9)
    assert window.overdue(20.0)
    window.acknowledged(EPOCHS[0], 10, now=21.0)
    assert filled(window, 5).room


def test_patience_stops_doubling_at_its_cap() -> None:
    window = filled(Window(resend_s=10, resend_cap_s=40), 1)
    for _ in range(5):
        window.narrow()
    assert not window.overdue(39.0)
    assert window.overdue(40.0)


def test_an_acknowledgement_of_part_of_a_batch_moves_nothing() -> None:
    window = filled(Window(), 1)
    assert not window.acknowledged(EPOCHS[0], 9, now=1.0)
    assert len(window) == 1
