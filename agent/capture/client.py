"""A source that another process reads: its frames lie in shared memory, and are read there in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.capture import protocol
from agent.capture.memory import Window
from agent.errors import InputRejected, MessageInvalid, SourceEnded, SourceLost
from agent.processes.ipc import close_all
from agent.processes.message import error_of
from agent.types import Frame, Phase

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from agent.capture.feed import Feed
    from agent.processes.ipc import Channel

_LOOK_S = 0.25


class Remote:
    """The way to the capture process, which outlives each time that the source is open.

    Args:
        name: the source's.
        feed: where connections come from.
        beat: notes the phase that begins.
        stop: set when no more frames are wanted.
    """

    def __init__(self, name: str, feed: Feed, beat: Callable[[Phase], None], stop: threading.Event) -> None:
        self.name = name
        self._feed, self._beat, self._stop = feed, beat, stop
        self._channel: Channel | None = None
        self._timeout_s = 0.0
        self._windows: dict[int, Window] = {}
        self._token = 0
        self._why = "its capture process is gone"
        self._told_gone = False

    def open(self, start: int) -> RemoteSource:
        """Wait until the source is open over there; its first frame has the given number.

        Raises:
            SourceLost: it is away; told once for each time that it is.
            SourceEnded: a stop was asked for before.
            AgentError: it can never be opened.
        """
        self._token += 1
        joined = False
        while not self._stop.is_set():
            self._beat(Phase.WAIT)
            if fresh := self._feed.take(0 if self._channel else _LOOK_S):
                self._hang_up("there is a newer one")
                self._channel, joined = fresh, False
                self._timeout_s = 0.0
            if self._channel is None:
                continue
            if not joined:
                self._post(protocol.Join(self._token, start).packet())
                joined = True
            said = self._next(_LOOK_S)
            if self._channel is None and not self._told_gone:
                raise self._gone()
            if isinstance(said, protocol.Opened) and said.token == self._token:
                self._told_gone = False
                return RemoteSource(self, start, live=said.live)
            self.raise_if_away(said)
        raise SourceEnded("")

    def raise_if_away(self, said: object) -> None:
        """Raise what a message says that keeps the source from giving frames."""
        if isinstance(said, protocol.Lost):
            error = error_of(said)
            raise SourceLost(error.op, error.subject, error.problem, error.hint)
        if isinstance(said, protocol.Refused):
            raise protocol.refusal(said)

    def send(self, packet: bytes) -> None:
        """Send a packet.

        Raises:
            SourceLost: the process is gone.
        """
        self._post(packet)
        if self._channel is None:
            raise self._gone()

    def receive(self, timeout_s: float) -> protocol.Said | None:
        """Give the next message; None when none came in time. Memory that came with it is kept.

        Raises:
            SourceLost: the process is gone, or breaks the protocol.
        """
        said = self._next(timeout_s) if self._channel is not None else None
        if self._channel is None:
            raise self._gone()
        return said

    def _post(self, packet: bytes) -> None:
        """Send a packet; there is no channel any more when that cannot be."""
        try:
            if self._channel is not None:
                self._channel.send(packet)
        except OSError:
            self._hang_up("its capture process is gone")

    def _next(self, timeout_s: float) -> protocol.Said | None:
        """Receive a message, or None; there is no channel any more when none can come."""
        if self._channel is None:
            return None
        if timeout_s != self._timeout_s:
            self._timeout_s = timeout_s
            self._channel.wait_for(timeout_s)
        packet, descriptors = self._channel.receive_with()
        said: protocol.Said | None = None
        if packet is None:
            return None
        if not packet:
            self._hang_up("its capture process is gone")
            return None
        try:
            said = protocol.said(packet)
            if descriptors and isinstance(said, protocol.Shown):
                self._windows[said.slot] = Window(descriptors[0])
        except (MessageInvalid, OSError) as error:
            self._hang_up(str(error))
        finally:
            if descriptors:
                close_all(descriptors)
        return said

    def frame(self, said: protocol.Shown, seq: int, missed: int) -> Frame:
        """Give the frame that a message says is there, as it lies in the shared memory.

        Raises:
            SourceLost: it does not.
        """
        try:
            data = self._windows[said.slot].view(said.shape)
        except (KeyError, MessageInvalid) as error:
            self._hang_up(str(error))
            raise self._gone() from error
        # That process may be anybody's, of a camera that took it over: nobody recovers from a time to come.
        captured_ns = min(said.captured_ns, time.monotonic_ns())
        return Frame(seq, captured_ns, data, said.origin, missed)

    def _gone(self) -> SourceLost:
        self._told_gone = True
        return SourceLost("read source", self.name, self._why, "The agent starts it again")

    def _hang_up(self, why: str) -> None:
        self._why = why
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._windows.clear()

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        self._hang_up("it is closed")


class RemoteSource:
    """Implements ``Source``, from when it was opened over there until it is lost there. It copies no frame.

    Args:
        remote: the way there.
        start: the number of the first frame.
        live: whether frames are lost that are not read in time.
    """

    def __init__(self, remote: Remote, start: int, *, live: bool) -> None:
        self._remote = remote
        self._next = start
        self._live = live
        self._asked = False
        self._untold = 0

    @property
    def live(self) -> bool:
        """As the source over there."""
        return self._live

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame: read only, valid until the next read. Dtype and shape are the source's.

        Raises:
            SourceLost: the source, or the process that reads it, is gone.
            SourceEnded: it has given its last frame.
            InputRejected: this one frame cannot be read.
        """
        if not self._asked:
            self._remote.send(protocol.ASK)
            self._asked = True
        said = self._remote.receive(timeout_s)
        if isinstance(said, protocol.Shown):
            self._asked = False
            missed, self._untold = self._untold + said.missed, 0
            self._next += missed + 1
            return self._remote.frame(said, self._next - 1, missed)
        if isinstance(said, protocol.Unreadable):
            self._asked = False
            self._untold += said.missed
            self._next += 1
            raise InputRejected(said.op, said.subject, said.problem, said.hint)
        if isinstance(said, protocol.Ended):
            raise SourceEnded(said.remark, missed=self._untold + said.missed)
        self._remote.raise_if_away(said)
        return None

    def close(self) -> None:
        """Do nothing: what it held is given back when the source is joined again, or the worker ends."""
