"""What the link tells the collector, on its way to the thread that stores."""

from __future__ import annotations

import threading

import pytest

from agent.fleet.collecting.inbox import Inbox
from agent.link.settings import LinkMessage, LinkPublished


def test_the_inbox_gives_what_came_in_order_and_waits_for_no_more() -> None:
    inbox = Inbox()
    for n in range(5):
        inbox.post(LinkPublished(n))
    assert inbox.take(1.0, most=3, most_bytes=10_000) == [
        LinkPublished(0),
        LinkPublished(1),
        LinkPublished(2),
    ]
    assert inbox.take(1.0, most=3, most_bytes=10_000) == [LinkPublished(3), LinkPublished(4)]
    assert inbox.take(0.01, most=3, most_bytes=10_000) == []


def test_the_inbox_gives_no_more_bytes_at_once_than_wanted() -> None:
    inbox = Inbox()
    for n in range(5):
        inbox.post(LinkMessage("t", bytes(1000), retain=False, receipt=(1, n)))
    assert [len(inbox.take(1.0, most=10, most_bytes=2000)) for _ in range(3)] == [2, 2, 1]


def test_the_inbox_can_be_woken() -> None:
    inbox = Inbox()
    waker = threading.Timer(0.05, inbox.wake)
    waker.start()
    assert inbox.take(10.0, most=3, most_bytes=10_000) == []
    waker.join()


@pytest.mark.parametrize("payload", [b"", bytes(1000)])
def test_a_broker_that_keeps_to_no_window_fills_no_memory_and_what_is_dropped_is_confirmed(
    payload: bytes,
) -> None:
    inbox = Inbox(max_bytes=20_000)
    settled: list[LinkMessage] = []
    inbox.settle = settled.append
    sent = [LinkMessage(f"{n:0100d}", payload, retain=False, receipt=(1, n)) for n in range(100)]
    for message in sent:
        inbox.post(message)
    held = inbox.take(0.0, most=1000, most_bytes=1 << 30)
    assert 10 <= len(held) <= 40
    assert [*held, *settled] == sent
    inbox.post(sent[0])
    assert inbox.take(0.0, most=10, most_bytes=1 << 30) == [sent[0]]
