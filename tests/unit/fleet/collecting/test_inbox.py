"""What the link tells the collector, on its way to the thread that stores."""

from __future__ import annotations

import threading

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
    assert [len(inbox.take(1.0, most=10, most_bytes=1500)) for _ in range(3)] == [2, 2, 1]


def test_the_inbox_can_be_woken() -> None:
    inbox = Inbox()
    waker = threading.Timer(0.05, inbox.wake)
    waker.start()
    assert inbox.take(10.0, most=3, most_bytes=10_000) == []
    waker.join()
