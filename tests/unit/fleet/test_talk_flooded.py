"""Who talks with a broker keeps a bounded part of what comes without end."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from agent.errors import LinkLost
from agent.events import counters
from agent.fleet import talk as module
from agent.fleet.talk import Talk
from agent.link.settings import LinkMessage, LinkSettings, LinkUp

if TYPE_CHECKING:
    from collections.abc import Callable


class Line:
    """A link that is up and sends nothing."""

    alive = True

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def publish(self, *_: object, **__: object) -> int:
        return 1


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Link", Line)
    monkeypatch.setattr(module, "_MOST_WAITING", 10 * module._size(message(0)))


SETTINGS = LinkSettings("127.0.0.1", 1, "test")


def message(number: int) -> LinkMessage:
    return LinkMessage("edge/v1/demo/d/gate-1/up/res", bytes([number]) * 100, retain=False)


def test_messages_that_nobody_takes_are_bounded_and_those_let_go_are_counted() -> None:
    before = Counter(counters)
    talk = Talk(SETTINGS, ["a"])
    for number in range(50):
        talk._post(message(number))
    assert talk.dropped == 40
    assert counters["message.refused/flood"] - before["message.refused/flood"] == 40
    assert [found.payload[0] for _ in range(10) if (found := talk.next(0.1))] == list(range(10))
    assert talk.next(0.01) is None
    talk._post(message(7))
    assert talk.next(0.1) == message(7)


def test_what_a_broker_keeps_is_not_believed_where_some_of_it_was_let_go() -> None:
    talk = Talk(SETTINGS, ["a"], "edge/v1/demo/d/gate-1/echo")
    talk._post(LinkUp("5", 1 << 20, 20))
    for number in range(50):
        talk._post(message(number))
    with pytest.raises(LinkLost, match="more came than we can take"):
        talk.kept()


def test_messages_without_a_payload_take_room_too() -> None:
    talk = Talk(SETTINGS, ["a"])
    for number in range(50):
        talk._post(LinkMessage(f"{number:0200d}", b"", retain=False))
    assert talk.dropped >= 35


def test_a_broker_that_never_ends_telling_what_it_keeps_is_left() -> None:
    talk = Talk(SETTINGS, ["a"], "edge/v1/demo/d/gate-1/echo")
    numbers = count()

    def taken(found: LinkMessage, before: Callable[[LinkMessage], LinkMessage] = talk._taken) -> LinkMessage:
        if (number := next(numbers)) > 1000:
            pytest.fail("it listens for ever")
        talk._post(LinkMessage(f"another/{number}", b"kept", retain=True))
        return before(found)

    talk._post(LinkUp("5", 1 << 20, 20))
    talk._post(message(0))
    with mock.patch.object(talk, "_taken", taken), pytest.raises(LinkLost, match="more came than"):
        talk.kept()
