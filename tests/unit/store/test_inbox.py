from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from agent.blocks import Position
from agent.store.inbox import Inbox, Want, Work

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_S = 30.0


def test_everything_that_was_asked_for_is_taken_once() -> None:
    inbox = Inbox(64)
    inbox.put([{"n": 1}], {"p": {}})
    inbox.want("result", Position("e", 3), 100, 7)
    inbox.ack("result", "e", 2)
    work = inbox.take(0, idle=True)
    assert [(put.records, put.ledgers) for put in work.puts] == [([{"n": 1}], {"p": {}})]
    assert work.wants == [Want("result", Position("e", 3), 100, 7)]
    assert work.acks == {("result", "e"): 2}
    assert inbox.take(0, idle=True) == Work()


def test_of_several_acknowledgements_the_highest_counts() -> None:
    inbox = Inbox(64)
    for upto in (3, 9, 5):
        inbox.ack("result", "e", upto)
    assert inbox.take(0, idle=True).acks == {("result", "e"): 9}


def test_acknowledgements_cannot_fill_the_memory() -> None:
    inbox = Inbox(64)
    for number in range(10_000):
        inbox.ack("result", f"{number:016x}", 1)
    assert len(inbox.take(0, idle=True).acks) == 1024


def test_nothing_can_be_put_after_the_end() -> None:
    inbox = Inbox(64)
    inbox.put([{}], {})
    inbox.stop()
    with pytest.raises(RuntimeError):
        inbox.put([{}], {})
    work = inbox.take(0, idle=True)
    assert (len(work.puts), work.stopping) == (1, True)
    assert inbox.take(0, idle=True).stopping


def woken_by(inbox: Inbox, act: Callable[[], object], *, idle: bool) -> Work:
    """Take in a thread, act, and give what it took, as soon as it took something."""
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        taking = pool.submit(inbox.take, LONG_S, idle=idle)
        while not inbox._ready._waiters and time.monotonic() < begun + 5:  # type: ignore[attr-defined]
            time.sleep(0.001)
        act()
        return taking.result(timeout=5)


def test_the_first_record_wakes_an_idle_taker() -> None:
    inbox = Inbox(64)
    assert len(woken_by(inbox, lambda: inbox.put([{}], {}), idle=True).puts) == 1


def test_a_block_full_of_records_wakes_a_taker_that_waits_for_its_time() -> None:
    inbox = Inbox(3)

    def put_three() -> None:
        for _ in range(3):
            inbox.put([{}], {})

    assert len(woken_by(inbox, put_three, idle=False).puts) == 3


@pytest.mark.parametrize("what", ["want", "ack", "stop"])
def test_what_cannot_wait_wakes_the_taker(what: str) -> None:
    inbox = Inbox(64)
    acts = {
        "want": lambda: inbox.want("result", None, 1, 7),
        "ack": lambda: inbox.ack("result", "e", 1),
        "stop": inbox.stop,
    }
    assert woken_by(inbox, acts[what], idle=False) != Work()


def test_a_few_records_do_not_wake_a_taker_that_will_turn_soon_anyway() -> None:
    inbox = Inbox(64)
    woken = threading.Event()

    def take() -> None:
        inbox.take(2, idle=False)
        woken.set()

    thread = threading.Thread(target=take)
    thread.start()
    time.sleep(0.05)
    inbox.put([{}], {})
    assert not woken.wait(0.1)
    thread.join()


def test_a_record_that_came_between_two_turns_is_not_slept_over() -> None:
    inbox = Inbox(64)
    inbox.take(0, idle=False)
    inbox.put([{}], {})
    begun = time.monotonic()
    assert len(inbox.take(LONG_S, idle=True).puts) == 1
    assert time.monotonic() - begun < 5


def test_everything_ever_put_is_counted() -> None:
    inbox = Inbox(64)
    for _ in range(3):
        inbox.put([{}, {}], {})
        inbox.take(0, idle=True)
    assert inbox.accepted == 6
