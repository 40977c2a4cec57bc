"""Puts published files on a broker, as retained messages; and whatever else somebody would put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.link.dial import dial
from agent.link.reasons import Reason
from agent.link.settings import LinkSettings, Message
from agent.link.turns import turn, wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WINDOW = 50


class Retained:
    """What lies below ``edge/v1/<fleet>/tuf/`` at a broker on this machine.

    Args:
        port: the broker's.
        fleet: whose files.
    """

    def __init__(self, port: int, fleet: str) -> None:
        self._settings = LinkSettings("127.0.0.1", port, "publisher", protocol="3.1.1")
        self._top = f"edge/v1/{fleet}/tuf/"
        self._there: dict[str, bytes] = {}

    def show(self, files: Mapping[str, bytes]) -> None:
        """Have the broker hold these files and no others."""
        gone = {path: b"" for path in self._there if path not in files}
        self.put({path: data for path, data in files.items() if self._there.get(path) != data} | gone)

    def put(self, files: Mapping[str, bytes]) -> None:
        """Put these there; an empty one is taken away."""
        messages = [Message(self._top + path, data, 1, retain=True) for path, data in files.items()]
        send(self._settings, messages)
        self._there |= files
        self._there = {path: data for path, data in self._there.items() if data}


def send(settings: LinkSettings, messages: Iterable[Message]) -> None:
    """Publish, and wait until the broker has confirmed all."""
    session = dial(settings)
    todo = iter(messages)
    more = True
    while more or session.unconfirmed:
        while more and session.unconfirmed < _WINDOW:
            message = next(todo, None)
            more = message is not None
            if message is not None:
                session.send(message)
        readable, writable = wait(session, 1)
        turn(session, settings.broker, readable=readable, writable=writable)
        session.notes.clear()
        assert session.fileno() >= 0, "the broker has hung up on the publisher"
    session.disconnect()
    session.abandon(Reason("done"))
