from __future__ import annotations

import os
import selectors
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from agent.supervision.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.close()


def wakes(mailbox: Mailbox) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(mailbox, selectors.EVENT_READ)
        return bool(selector.select(0))


def test_what_is_posted_is_taken_once_in_order(mailbox: Mailbox) -> None:
    for number in range(3):
        mailbox.post(number)
    assert mailbox.take() == [0, 1, 2]
    assert mailbox.take() == []


def test_a_post_wakes_and_a_take_lets_sleep(mailbox: Mailbox) -> None:
    assert not wakes(mailbox)
    mailbox.post("x")
    assert wakes(mailbox)
    mailbox.take()
    assert not wakes(mailbox)


def test_more_posts_than_the_pipe_holds_lose_nothing(mailbox: Mailbox) -> None:
    for number in range(100_000):
        mailbox.post(number)
    taken: list[object] = []
    while wakes(mailbox):
        taken += mailbox.take()
    assert taken == list(range(100_000))


def test_posts_of_many_threads_all_arrive_while_the_loop_takes(mailbox: Mailbox) -> None:
    def post(start: int) -> None:
        for number in range(start, start + 500):
            mailbox.post(number)

    threads = [threading.Thread(target=post, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    with selectors.DefaultSelector() as selector:
        selector.register(mailbox, selectors.EVENT_READ)
        while len(taken) < 2000:
            assert selector.select(5), f"{len(taken)} of 2000 arrived, and nothing wakes the loop"
            taken += [event for event in mailbox.take() if isinstance(event, int)]
    for thread in threads:
        thread.join()
    for n in range(4):
        assert [t for t in taken if t // 1000 == n] == list(range(1000 * n, 1000 * n + 500))


def test_an_event_that_is_posted_while_the_loop_takes_is_not_lost() -> None:
    class Slow(Mailbox):
        def _drain(self) -> list[object]:
            self.post("late")
            return super()._drain()

    box = Slow()
    assert box.take() == ["late"]
    assert wakes(box)
    box.close()


def test_a_signal_wakes_the_loop(mailbox: Mailbox) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: mailbox.post("signal"))
    wake_before = signal.set_wakeup_fd(mailbox.wake_fd, warn_on_full_buffer=False)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert wakes(mailbox)
        assert mailbox.take() == ["signal"]
    finally:
        signal.set_wakeup_fd(wake_before)
        signal.signal(signal.SIGUSR1, before)
