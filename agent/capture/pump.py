"""What the thread does that reads a source for several pipelines: opens it, shares it, opens it again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from agent.errors import Fatal, InputRejected, Rejected, SourceEnded, SourceLost
from agent.reopening import Reopening
from agent.types import Fills, Phase

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from agent.capture.hub import Hub
    from agent.types import Frame, Source

_READ_S = 0.5


class _FromBefore(Exception):
    """A reader of a recording wants frames from before the start."""


class Pump:
    """Implements the reading thread.

    Args:
        open_source: opens the source so that its first frame has the given number.
        hub: where frames go.
        say: tells the supervisor.
        beat: notes the phase that begins.
        stop: set when no more frames are wanted.
        prepare: what each frame passes first; with it no source fills shared memory itself: what is to be
            hidden would be there before it is.
    """

    def __init__(
        self,
        *,
        open_source: Callable[[int], Source],
        hub: Hub,
        say: Callable[[Mapping[str, object]], None],
        beat: Callable[[Phase], None],
        stop: threading.Event,
        prepare: Callable[[Frame], Frame] | None = None,
    ) -> None:
        self._open_source = open_source
        self._hub = hub
        self._say = say
        self._beat = beat
        self._stop = stop
        self._prepare = prepare
        self._waits = Reopening()
        self._begun = self._lost = False
        self._start = 0

    def run(self) -> None:
        """Read until the source ends, cannot be opened ever, or a stop is asked for.

        Raises:
            AgentError: this process cannot go on.
        """
        try:
            self._run()
        finally:
            self._beat(Phase.NONE)

    def _run(self) -> None:
        self._beat(Phase.WAIT)
        start = self._hub.gather(self._stop)
        while start is not None and not self._stop.is_set():
            before = start
            try:
                self._open_and_read(start)
            except SourceEnded as end:
                self._hub.end(str(end))
                self._say({"type": "ended", "remark": str(end)[:4000]})
                return
            except SourceLost as error:
                self._lost = True
                self._hub.lose(error)
                self._say({"type": "lost", "problem": str(error)[:4000]})
                self._beat(Phase.WAIT)
                self._stop.wait(self._waits.after(error, gave=self._hub.next > before))
                start = max(before, self._hub.next)
            except (Fatal, Rejected) as error:
                self._hub.refuse(error)
                self._say({"type": "lost", "problem": str(error)[:4000]})
                return
            except _FromBefore:
                start = self._hub.gather(self._stop)
            else:
                return

    def _open_and_read(self, start: int) -> None:
        self._beat(Phase.OPEN)
        with closing(self._open_source(start)) as source:
            if not (source.live or self._begun or self._are_all_after(start)):
                raise _FromBefore
            self._begun = True
            self._start = start
            if not self._lost:
                self._tell_open(source)
            fills = source if isinstance(source, Fills) and self._prepare is None else None
            while not self._stop.is_set():
                slot = self._hub.room(_READ_S, self._beat)
                if slot is not None or source.live:
                    self._share(source, fills, slot)

    def _tell_open(self, source: Source) -> None:
        """Say that it is open: at once, but after it was lost with the first frame that it gives."""
        self._lost = False
        self._hub.opened(self._start, live=source.live)
        self._say({"type": "opened", "live": source.live})

    def _are_all_after(self, start: int) -> bool:
        """Wait for all readers of a recording; whether none wants frames that come before the start."""
        self._beat(Phase.WAIT)
        lowest = self._hub.gather(self._stop, all_of_them=True)
        return lowest is None or lowest >= start

    def _share(self, source: Source, fills: Fills | None, slot: int | None) -> None:
        self._beat(Phase.CAPTURE)
        try:
            if fills is not None:
                fills.fill(self._hub.lend(slot))
            frame = source.read(_READ_S)
            if frame is None:
                return
            if self._lost:
                self._tell_open(source)
            self._beat(Phase.PREPROCESS)
            self._hub.publish(self._prepare(frame) if self._prepare else frame, slot)
        except InputRejected as error:
            if self._lost:
                self._tell_open(source)
            self._hub.reject(self._hub.next, error)
