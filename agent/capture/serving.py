"""Serves the readers of one source: their connections, and what the supervisor says of them."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import orjson

from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.processes.ipc import Channel, close_all
from agent.types import Phase

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from agent.capture.hub import Hub

_BEAT_S = 0.5
"""The page is written at least so often, whatever happens."""


class Host:
    """The loop of the thread that serves.

    Args:
        channel: to the supervisor.
        hub: where the readers' frames come from.
        beat: notes the phase that begins.
        over: set when the thread that reads the source cannot go on.
    """

    def __init__(
        self, channel: Channel, hub: Hub, beat: Callable[[Phase], None], over: threading.Event
    ) -> None:
        self._channel = channel
        self._hub = hub
        self._beat = beat
        self._over = over
        self._guests: dict[int, tuple[str, Channel]] = {}
        self._poll = select.epoll()
        self._poll.register(channel.fileno(), select.EPOLLIN)
        hub.listen = lambda guest, whether: self._poll.modify(guest.fileno(), select.EPOLLIN * whether)

    def run(self) -> bool:
        """Serve until the supervisor says stop, or is gone, or it is over; give whether it said stop."""
        while not self._over.is_set():
            self._beat(Phase.WAIT)
            for fd, _ in self._poll.poll(_BEAT_S):
                if fd in self._guests:
                    self._attend(fd)
                elif (stop := self._obey()) is not None:
                    return stop
        return False

    def close(self) -> None:
        """Let go of all connections."""
        for fd in list(self._guests):
            self._part(fd)
        self._poll.close()

    def _obey(self) -> bool | None:
        packet, descriptors = self._channel.receive_with()
        if not packet:
            return False
        match orjson.loads(packet):
            case {"type": "connect", "pipeline": str(pipeline)} if len(descriptors) == 1:
                self._welcome(descriptors.pop(), pipeline)
            case {"type": "readers", "pipelines": list(pipelines)}:
                self._hub.want(frozenset(map(str, pipelines)))
            case {"type": "stop"}:
                return True
        close_all(descriptors)
        return None

    def _welcome(self, fd: int, pipeline: str) -> None:
        for old, (name, _) in list(self._guests.items()):
            if name == pipeline:
                self._part(old)
        os.set_blocking(fd, False)
        channel = Channel.from_fd(fd)
        self._guests[fd] = pipeline, channel
        self._poll.register(fd, select.EPOLLIN)
        self._hub.connect(pipeline, channel)

    def _attend(self, fd: int) -> None:
        """Take in one packet. Whoever breaks the protocol, or does not read, loses this connection only."""
        name, channel = self._guests[fd]
        packet = channel.receive()
        if packet is None:
            return
        if not packet:
            self._part(fd)
            return
        try:
            self._hub.hear(name, packet)
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, name, problem=error)
            self._part(fd)

    def _part(self, fd: int) -> None:
        name, channel = self._guests.pop(fd)
        self._hub.part(name, channel)
        self._poll.unregister(fd)
        channel.close()
