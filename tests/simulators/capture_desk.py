"""A capture process's two threads inside the test's own process, with a scripted source, and its readers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from socket import AF_UNIX, SOCK_SEQPACKET, socketpair
from typing import TYPE_CHECKING, Any, Self

import orjson

from agent.capture.client import Remote
from agent.capture.feed import Feed
from agent.capture.hub import Hub
from agent.capture.pump import Pump
from agent.capture.serving import Host
from agent.processes.ipc import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.types import Frame, Source


class Reader:
    """A worker's side: where its connections come from, and what reads them."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.feed, self.stop = Feed(), threading.Event()
        self.remote = Remote("yard", self.feed, lambda _phase: None, self.stop)
        self._desk, self.name = desk, name

    def connect(self) -> Self:
        """Have the supervisor hand out a connection."""
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        with theirs:
            self._desk.tell({"type": "connect", "pipeline": self.name}, [theirs.fileno()])
        self.feed.lend(ours.detach())
        return self

    def close(self) -> None:
        """Die."""
        self.remote.close()
        if fresh := self.feed.take(0):
            fresh.close()


class Desk:
    """The process.

    Args:
        open_source: opens the scripted source.
        readers: those that are wanted.
        prepare: what each frame passes first.

    Attributes:
        said: what the supervisor was told, in order.
    """

    def __init__(
        self,
        open_source: Callable[[int], Source],
        *readers: str,
        prepare: Callable[[Frame], Frame] | None = None,
    ) -> None:
        self.said: list[Mapping[str, Any]] = []
        self._channel, theirs = Channel.pair()
        self._theirs = Channel.from_fd(theirs.detach())
        self._stop, self.over = threading.Event(), threading.Event()
        self.hub = Hub(frozenset(readers))
        pump = Pump(
            open_source=open_source, hub=self.hub, say=self.said.append, beat=lambda _phase: None,
            stop=self._stop, prepare=prepare,
        )  # fmt: skip
        self._host = Host(self._theirs, self.hub, lambda _phase: None, self.over)
        self._readers: list[Reader] = []
        self._executor = ThreadPoolExecutor(2)
        self.reading = self._executor.submit(pump.run)
        self.serving = self._executor.submit(self._host.run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()
        self.tell({"type": "stop"})
        self._stop.set()
        self.reading.result(10)
        self.serving.result(10)
        self._executor.shutdown()
        self._host.close()
        self.hub.close()
        self._channel.close()
        self._theirs.close()

    def tell(self, message: Mapping[str, object], descriptors: list[int] | None = None) -> None:
        """Say something as the supervisor does."""
        self._channel.send_with(orjson.dumps(message), descriptors or [])

    def reader(self, name: str, *, connected: bool = True) -> Reader:
        """Give a new worker's side."""
        reader = Reader(self, name)
        self._readers.append(reader)
        return reader.connect() if connected else reader
