"""The loop of the process that takes frames: read, hide, encode, write."""

from __future__ import annotations

import io
import select
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import cv2
import numpy as np

from agent import __version__
from agent.errors import AgentError, DiskFull, InputRejected, SourceEnded, SourceLost
from agent.pipeline.privacy import Privacy
from agent.recordings import documents
from agent.recordings.documents import FrameNote, Head
from agent.recordings.writing import Writer
from agent.taking.orders import Done, Took

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ipc import Channel
    from agent.taking.orders import Ending, Orders
    from agent.types import Array, Frame, Source

OP = "record"
_READ_S = 0.5
_TELL_S = 0.1
_PNG_EFFORT = 1
"""The least effort that still takes out what is alike in a row: more costs more time than it saves bytes."""


class Taker:
    """Takes frames until it has enough of them.

    Args:
        orders: what is taken.
        channel: to the parent, which may say "stop" on it.
        file: where to.
    """

    def __init__(self, orders: Orders, channel: Channel, file: BinaryIO) -> None:
        self._orders = orders
        self._channel = channel
        self._writer = Writer(file, orders.most_bytes)
        self._hide = Privacy(orders.lane.privacy) if orders.lane.privacy else None
        self._skipped = 0
        self._failed = 0
        self._problem = ""
        self._began: float | None = None
        self._last = 0.0
        self._told = 0.0

    def take(self, build: Callable[[], Source]) -> Done:
        """Open the source, take its frames and end the recording.

        Raises:
            SourceLost: it cannot be opened.
            InputRejected: there is no such file.
            DiskFull: the file cannot be written; what it holds is sound.
        """
        cv2.setNumThreads(1)
        with closing(build()) as source:
            live = source.live
            try:
                self._writer.begin(self._head(live=live))
                why, remark = self._read(source)
                self._writer.end()
            except OSError as error:
                hint = "Make room; what was recorded so far can be read"
                raise DiskFull(OP, "the recording", (error.strerror or str(error)).lower(), hint) from error
        return Done(
            frames=self._writer.frames,
            failed=self._failed,
            bytes=self._writer.bytes,
            seconds=max(0.0, self._last - (self._began or self._last)),
            live=live,
            why=why,
            remark=remark[:4000],
            problem=self._problem,
        )

    def _head(self, *, live: bool) -> Head:
        return Head(
            agent=__version__,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            source=self._orders.lane.source[:200],
            pipeline=self._orders.named[:200],
            live=live,
            hidden=len(self._orders.lane.privacy),
        )

    def _read(self, source: Source) -> tuple[Ending, str]:
        """Take frame after frame; give why it ended, and what the source said."""
        while not (why := self._over()):
            try:
                taken = self._take_one(source)
            except SourceEnded as end:
                return "ended", str(end)
            except SourceLost as error:
                return "lost", str(error)
            if not taken:
                return "size", ""
            self._tell()
        return why, ""

    def _over(self) -> Ending | None:
        orders, now = self._orders, time.monotonic()
        if orders.frames and self._writer.frames >= orders.frames:
            return "enough"
        if orders.seconds and self._began is not None and now - self._began >= orders.seconds:
            return "time"
        if select.select([self._channel], [], [], 0)[0]:  # nobody says anything but stop
            return "stopped"
        return None

    def _take_one(self, source: Source) -> bool:
        """Wait for a frame and write it, if one comes; False when it does not fit any more."""
        seq = self._skipped + self._writer.frames
        try:
            frame = source.read(_READ_S)
            if frame is None:
                return True
            if self._skipped < self._orders.skip:
                self._skipped += 1
                return True
            self._last = time.monotonic()
            self._began = self._last if self._began is None else self._began
            note, data = self._encoded(self._hide(frame) if self._hide else frame)
        except InputRejected as error:
            self._failed += 1
            self._problem = str(error)[:4000]
            data = b""
            note = FrameNote(seq=seq, captured_ns=time.monotonic_ns(), problem=self._problem)
        return self._writer.frame(note, data)

    def _encoded(self, frame: Frame) -> tuple[FrameNote, bytes]:
        suffix, data = encode(frame.data, self._orders)
        if len(data) > documents.MAX_FRAME:
            problem = f"{len(data)} bytes are too many"
            raise InputRejected(OP, f"frame {frame.seq}", problem, "Shrink it first")
        note = FrameNote(seq=frame.seq, captured_ns=frame.captured_ns, origin=frame.origin, suffix=suffix)
        return note, data

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < _TELL_S:
            return
        self._told = now
        took = Took(frames=self._writer.frames, failed=self._failed, bytes=self._writer.bytes)
        self._channel.send(took.model_dump_json().encode())


def encode(data: Array, orders: Orders) -> tuple[str, bytes]:
    """Give the ending of a frame's file, and its bytes: a picture where it is one, else the array itself.

    Args:
        data: uint8 (height, width, 3) in BGR order is a picture; anything else is numbers.
        orders: say how each is written.
    """
    if data.dtype == np.uint8 and data.ndim == 3 and data.shape[2] == 3 and data.size:
        if orders.pictures == "jpeg":
            return ".jpg", _picture(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, orders.quality])
        return ".png", _picture(".png", data, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_EFFORT])
    if orders.windows == "csv" and data.ndim <= 2:
        text = io.StringIO()
        np.savetxt(text, np.atleast_1d(data), delimiter=",", fmt="%.9g")
        return ".csv", text.getvalue().encode()
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(data), allow_pickle=False)
    return ".npy", buffer.getvalue()


def _picture(suffix: str, data: Array, how: list[int]) -> bytes:
    try:
        done, encoded = cv2.imencode(suffix, data, how)
    except cv2.error as error:
        raise _refused(suffix, data, error.err) from error
    if not done:
        raise _refused(suffix, data, "it gives no reason")
    return encoded.tobytes()


def _refused(suffix: str, data: Array, why: str) -> AgentError:
    problem = f"OpenCV cannot write a {suffix[1:].upper()} of {data.shape[1]}x{data.shape[0]}: {why}"
    return InputRejected("encode frame", "picture", problem[:300], "Record a smaller picture")
