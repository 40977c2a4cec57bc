"""The capture thread: read a frame, preprocess it into a free buffer, hand it over; reopen what is lost."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from agent.errors import InputRejected, SourceEnded, SourceLost
from agent.pipeline.gate import Gate
from agent.pipeline.health import Unwell
from agent.pipeline.slot import Item, Slot
from agent.reopening import Reopening
from agent.screening import Admission
from agent.types import WHOLE, FrameInfo, Phase

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from agent.pipeline.engine import Engine
    from agent.types import Frame, Source

_READ_S = 0.5
_TELL_S = 1.0


class Reporter(Protocol):
    """Whom the capture thread tells of its source."""

    def opened(self, *, live: bool) -> None:
        """The source is open."""

    def lost(self, problem: str) -> None:
        """The source is gone; it will be opened again."""

    def refused(self, reason: str, problem: str) -> None:
        """Frames of a live source cannot be used, for such a reason; said once a second at most."""

    def captured(self, count: int) -> None:
        """So many frames were captured since the start: durable against this process's death."""


class Capture:
    """What the capture thread runs.

    Args:
        open_source: opens the source so that its first frame has the given sequence number.
        slot: where frames go; it gives each the engine that prepares it.
        reporter: whom to tell.
        beat: notes the phase that begins.
        stop: set when no more frames are wanted.
        start: the sequence number of the first frame.
        once: raise SourceLost in place of trying again, and drop no frame of a live source.
        limit: stop after so many frames; 0 for no limit.
        keep_pixels: hand over a copy of each frame, for drawing.
        gate: holds frames back while the board is to do less.
        prepare: what each frame passes before anything else is made of it: regions hidden, the camera's
            health looked at. It gives the frame that goes on, or refuses it.
        admit: says which frames are worth an inference, and what part of them the model is shown.
    """

    def __init__(
        self,
        *,
        open_source: Callable[[int], Source],
        slot: Slot,
        reporter: Reporter,
        beat: Callable[[Phase], None],
        stop: threading.Event,
        start: int = 0,
        once: bool = False,
        limit: int = 0,
        keep_pixels: bool = False,
        gate: Gate | None = None,
        prepare: Callable[[Frame], Frame] = lambda frame: frame,
        admit: Callable[[Frame], Admission | None] = lambda _: Admission(),
    ) -> None:
        self._open_source = open_source
        self._slot = slot
        self._reporter = reporter
        self._beat = beat
        self._stop = stop
        self._next = start
        self._once = once
        self._left = limit or -1
        self._keep_pixels = keep_pixels
        self._gate = gate or Gate()
        self._prepare = prepare
        self._admit = admit
        self._tell_from = 0.0
        self._openings = 0

    def run(self) -> str:
        """Capture until the source ends or a stop is asked for; give a remark on the end, or ""."""
        try:
            return self._run()
        finally:
            self._beat(Phase.NONE)  # what still waits for the model is not this thread's to be judged by

    def _run(self) -> str:
        waits = Reopening()
        while not self._stop.is_set():
            before = self._next
            try:
                self._open_and_read()
            except SourceEnded as end:
                return str(end)
            except SourceLost as error:
                if self._once:
                    raise
                self._reporter.lost(str(error))
                self._beat(Phase.WAIT)
                self._stop.wait(waits.after(error, gave=self._next > before))
            else:
                break  # a stop, or enough
        return ""

    def _open_and_read(self) -> None:
        self._beat(Phase.OPEN)
        with closing(self._open_source(self._next)) as source:
            self._slot.live = source.live and not self._once  # who asks once wants each frame answered
            self._openings += 1
            self._reporter.opened(live=source.live)
            self._read(source)

    def _read(self, source: Source) -> None:
        index: int | None = None
        while not self._stop.is_set() and self._left != 0:
            if index is None:
                self._beat(Phase.WAIT)
                if not (self._gate.open or self._slot.live or self._gate.hold(self._stop)):
                    continue
                index = self._slot.acquire()
            self._beat(Phase.CAPTURE)
            try:
                frame = source.read(_READ_S)
            except InputRejected as error:
                engine = self._begin()
                info = FrameInfo(self._next - 1, time.monotonic_ns(), 0, 0, error.subject)
                self._failed(Item(index, info, engine, error, "unreadable"))
                index = None
                continue
            except (SourceEnded, SourceLost) as error:
                self._slot.give_back(index)
                if isinstance(error, SourceEnded) and error.missed:
                    self._reporter.captured(self._slot.miss(error.missed))
                raise
            if frame is not None:
                engine = self._begin(frame.missed)
                self._next = frame.seq + 1
                if not self._gate.open and self._slot.live and self._gate.shuts():
                    self._slot.gate()
                    continue
                self._hand_over(frame, index, engine)
                index = None
        if index is not None:
            self._slot.give_back(index)

    def _begin(self, missed: int = 0) -> Engine:
        self._next += 1
        self._left -= 1
        count, engine = self._slot.begin(missed)
        self._reporter.captured(count)
        return engine

    def _hand_over(self, frame: Frame, index: int, engine: Engine) -> None:
        """Put a frame into a buffer for the model, or count it as what else becomes of it."""
        height, width = (*frame.data.shape, 1, 1)[:2]
        info = FrameInfo(frame.seq, frame.captured_ns, height, width, frame.origin)
        self._beat(Phase.PREPROCESS)
        began_ns = time.monotonic_ns()
        try:
            frame = self._prepare(frame)
            if (admission := self._admit(frame)) is None:
                self._slot.gate()
                self._slot.give_back(index)
                return
            info = replace(info, region=admission.region) if admission.region != WHOLE else info
            engine.prepare(frame, engine.buffers[index], info.region)
        except Unwell as error:
            self._failed(Item(index, info, engine, error, error.reason))
        except InputRejected as error:
            self._failed(Item(index, info, engine, error, "input"))
        else:
            pixels = frame.data.copy() if self._keep_pixels else None
            ready_ns, opening = time.monotonic_ns(), self._openings
            self._slot.publish(
                Item(
                    index, info, engine, pixels=pixels, began_ns=began_ns, ready_ns=ready_ns, opening=opening
                )
            )

    def _failed(self, item: Item) -> None:
        if self._slot.live:
            if (now := time.monotonic()) >= self._tell_from:  # before it is counted: then it is known why
                self._reporter.refused(item.reason, str(item.error))
                self._tell_from = now + _TELL_S
            self._slot.fail(item.index, item.reason)
        else:
            self._slot.publish(item)
