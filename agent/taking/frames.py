"""The loop of the process that takes frames: read, hide, encode, write."""

from __future__ import annotations

import io
import os
import select
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
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
    from collections.abc import Callable, Sequence

    from agent.processes.ipc import Channel
    from agent.taking.orders import Ending, Orders
    from agent.types import Array, Frame, Source

OP = "record"
_READ_S = 0.5
_TELL_S = 0.1
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
"""Pixels of a camera have noise: to look for what repeats takes longer, and finds less."""
_MOST_FAILED = 20
"""So many frames may fail before a snapshot is given up."""
_HEADER = 4096
"""What a file has besides its data, bytes, at most."""
_MOST_ENCODERS = 4
"""Threads that encode, on boards that have as many cores; each has two frames at a time."""


class Taker:
    """Takes frames until it has enough of them. Reading goes on while a few threads encode.

    Args:
        orders: what is taken.
        channel: to the parent, which may say "stop" on it.
        file: where to.
    """

    def __init__(self, orders: Orders, channel: Channel, file: BinaryIO) -> None:
        self._orders = orders
        self._channel = channel
        self._file = file
        self._writer = Writer(file, orders.most_bytes)
        self._hide = Privacy(orders.lane.privacy) if orders.lane.privacy else None
        self._encoders = min(_MOST_ENCODERS, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._encoders, "encode")
        self._waiting: deque[Future[tuple[FrameNote, bytes]]] = deque()
        self._skipped = self._failed = self._dropped = self._next = 0
        self._problem = ""
        self._began: float | None = None
        self._last = self._told = 0.0

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
                self._file.truncate(0)  # not before: what is replaced is kept where the source is away
                self._writer.begin(self._head(live=live))
                why, remark = self._read(source)
                if why != "size" and not self._write(0):
                    why, remark = "size", ""
                self._writer.end()
            except OSError as error:
                hint = "Make room; what was recorded so far can be read"
                raise DiskFull(OP, "the recording", (error.strerror or str(error)).lower(), hint) from error
        return Done(
            frames=self._writer.frames,
            failed=self._failed,
            dropped=self._dropped,
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
                self._take_one(source)
            except SourceEnded as end:
                return "ended", str(end)
            except SourceLost as error:
                return "lost", str(error)
            if not self._write(2 * self._encoders if source.live else self._encoders):
                return "size", ""
            self._tell()
        return why, ""

    def _over(self) -> Ending | None:
        orders, now = self._orders, time.monotonic()
        if orders.frames and self._has_enough():
            return "enough"
        if orders.seconds and self._began is not None and now - self._began >= orders.seconds:
            return "time"
        if select.select([self._channel], [], [], 0)[0]:  # nobody says anything but stop
            return "stopped"
        return None

    def _has_enough(self) -> bool:
        wanted = self._orders.frames
        if not self._orders.sound:
            return self._writer.frames + len(self._waiting) >= wanted
        if self._failed < _MOST_FAILED and self._writer.frames - self._failed + len(self._waiting) < wanted:
            return False
        self._write(0)  # some of those that wait may fail, too
        return self._writer.frames - self._failed >= wanted or self._failed >= _MOST_FAILED

    def _take_one(self, source: Source) -> None:
        """Wait for a frame, and have it encoded if one comes."""
        seq = self._next
        try:
            frame = source.read(_READ_S)
            if frame is None:
                return
            seq = frame.seq
            if self._skipped < self._orders.skip:
                self._skipped += 1
            elif source.live and len(self._waiting) >= 2 * self._encoders and not self._waiting[0].done():
                self._dropped += 1
            else:
                self._last = time.monotonic()
                self._began = self._last if self._began is None else self._began
                hidden = self._hide(frame) if self._hide else frame
                kept = replace(hidden, data=hidden.data.copy())  # the next read may use its buffer again
                self._waiting.append(self._pool.submit(encoded, kept, self._orders))
        except InputRejected as error:
            refused: Future[tuple[FrameNote, bytes]] = Future()
            refused.set_result((_failure(seq, error), b""))
            self._waiting.append(refused)
        self._next = seq + 1

    def _write(self, most: int) -> bool:
        """Write what is encoded, in its order, and wait while more than ``most`` are not; False when full."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            note, data = self._waiting[0].result()
            if not self._writer.frame(note, data):
                return False
            self._waiting.popleft()
            if note.problem:
                self._failed += 1
                self._problem = note.problem
        return True

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < _TELL_S:
            return
        self._told = now
        took = Took(frames=self._writer.frames, failed=self._failed, bytes=self._writer.bytes)
        self._channel.send(took.model_dump_json().encode())


def encoded(frame: Frame, orders: Orders) -> tuple[FrameNote, bytes]:
    """Give what is written of a frame; one that cannot be encoded has failed."""
    try:
        suffix, data = encode(frame.data, orders)
    except InputRejected as error:
        return _failure(frame.seq, error), b""
    note = FrameNote(seq=frame.seq, captured_ns=frame.captured_ns, origin=frame.origin, suffix=suffix)
    return note, data


def _failure(seq: int, error: InputRejected) -> FrameNote:
    return FrameNote(seq=seq, captured_ns=time.monotonic_ns(), problem=str(error)[:4000])


def encode(data: Array, orders: Orders) -> tuple[str, bytes]:
    """Give the ending of a frame's file, and its bytes: a picture where it is one, else the array itself.

    Args:
        data: uint8 (height, width, 3) in BGR order is a picture; anything else is numbers.
        orders: say how each is written.

    Raises:
        InputRejected: OpenCV cannot write it, or it is too large.
    """
    if data.nbytes > documents.MAX_FRAME - _HEADER:
        raise InputRejected(OP, "frame", f"{data.nbytes} bytes are too many", "Shrink it first")
    if data.dtype == np.uint8 and data.ndim == 3 and data.shape[2] == 3 and data.size:
        if orders.pictures == "jpeg":
            return ".jpg", _picture(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, orders.quality])
        return ".png", _picture(".png", data, _PNG)
    if orders.windows == "csv" and data.ndim <= 2:
        text = io.StringIO()
        np.savetxt(text, np.atleast_1d(data), delimiter=",", fmt="%.9g")
        return ".csv", text.getvalue().encode()
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(data), allow_pickle=False)
    return ".npy", buffer.getvalue()


def _picture(suffix: str, data: Array, how: Sequence[int]) -> bytes:
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
