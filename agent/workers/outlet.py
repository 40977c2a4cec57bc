"""What a worker says to the supervisor, on its socket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

from agent.processes import memfd, memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.histogram import Histogram
    from agent.ledger import Ledger
    from agent.processes.ipc import Channel
    from agent.workers.heartbeat import Page


class SocketOutlet:
    """Sends what the pipeline says to the supervisor. Safe from any thread: a packet is sent whole."""

    def __init__(self, channel: Channel, page: Page) -> None:
        self._channel = channel
        self._page = page
        self.begun: memory.Ranges = ()
        """What of libraries can be given back once frames flow."""

    def say(self, message: Mapping[str, object]) -> None:
        """Send one message."""
        self._channel.send(orjson.dumps(message))

    def results(self, ledger: Ledger, records: Sequence[bytes]) -> None:
        """Send records and the ledger as of the last of them."""
        so_far = orjson.dumps(counts(ledger))
        body = b",".join(records)
        self._channel.send(b'{"type":"results","ledger":' + so_far + b',"records":[' + body + b"]}")

    def medium(self, head: Mapping[str, object], size: int, pieces: Iterable[bytes]) -> None:
        """Send a snapshot or a clip: its bytes go in memory that is sealed, so that nobody changes them."""
        fd = memfd.create("edge-agent-medium", size)
        try:
            for piece in pieces:
                _write(fd, piece)
            memfd.seal(fd, memfd.FIXED)
            self._channel.send_with(orjson.dumps(head), (fd,))
        finally:
            os.close(fd)

    def timings(self, stages: Mapping[str, Histogram]) -> None:
        """Send how long each stage took, of the frames since the last call."""
        body = {
            name: {"buckets": list(one.buckets.items()), "sum_us": one.sum_us, "max_us": one.max_us}
            for name, one in stages.items()
        }
        self.say({"type": "timings", "stages": body})
        if self.begun:  # a second of frames has been through
            memory.give_back(self.begun)
            self.begun = ()

    def opened(self, *, live: bool) -> None:
        """Say that the source is open."""
        self.say({"type": "opened", "live": live})
        memory.trim()  # of what opening it took

    def lost(self, problem: str) -> None:
        """Say that the source is gone."""
        self.say({"type": "lost", "problem": problem[:4000]})

    def refused(self, reason: str, problem: str) -> None:
        """Say why a frame of a live source cannot be used."""
        self.say({"type": "refused", "reason": reason, "problem": problem[:4000]})

    def captured(self, count: int) -> None:
        """Note how many frames were captured, where it outlives this process."""
        self._page.captured = count


def _write(fd: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(fd, left) :]


def counts(ledger: Ledger) -> dict[str, object]:
    """Give the accounts as messages tell them."""
    told = ledger.to_json()
    del told["lost"]  # a worker cannot tell what its own death will take
    return told
