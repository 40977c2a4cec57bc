"""A recording that `edge-agent record` has made: frames of any source, again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import InputRejected, SourceEnded
from agent.recordings.reading import Reader
from agent.sources._files import check_file, unreadable
from agent.types import Frame, Needs

if TYPE_CHECKING:
    from agent.recordings.documents import FrameNote
    from agent.recordings.reading import Taken
    from agent.types import Array

OP = "open recording"
_LONGEST_NS = 60_000_000_000
"""The longest pause between two frames that is kept, nanoseconds."""


class Options(BaseModel):
    """Which recording."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str = Field(min_length=1)
    """The file."""
    realtime: bool = False
    """Keep the time between two frames, at most 60 s each, and lose what is not read in time."""


class RecordedSource:
    """Implements ``Source``. A frame that failed when it was recorded fails again.

    Args:
        path: of the file.
        file: the recording; this source closes it.
        start: the number of the first frame that is given.
        realtime: whether it keeps its pace.

    Raises:
        InputRejected: it does not begin as a recording does.
    """

    def __init__(self, path: str, file: BinaryIO, start: int, *, realtime: bool) -> None:
        self._path = path
        self._file = file
        self._start = start
        self._realtime = realtime
        self._reader = Reader(file, path)
        self._waiting: Taken | None = None
        self._due: float | None = None
        self._before_ns = 0

    @property
    def live(self) -> bool:
        """True when it keeps its pace."""
        return self._realtime

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame as it was recorded: a picture, uint8 (height, width, 3), BGR, or an array.

        Raises:
            SourceEnded: the recording is over, or what is left of it cannot be read.
            InputRejected: this frame failed when it was recorded, or is damaged.
        """
        deadline = time.monotonic() + timeout_s
        try:
            taken = self._waiting or self._skip(deadline)
            if taken is None or not self._is_time(taken.note, deadline):
                self._waiting = taken
                return None
            self._waiting = None
            if taken.data is None:
                raise InputRejected(
                    "read recorded frame", self._name(taken), taken.note.problem or "it failed"
                )
            data = _parse(self._name(taken), taken.note.suffix, self._reader.data(taken))
        except OSError as error:
            raise unreadable("read recording", self._path, error) from error
        return Frame(taken.number, time.monotonic_ns(), data, taken.note.origin)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _skip(self, deadline: float) -> Taken | None:
        """Pass over the frames before the start, and take one; None when time ran out first."""
        while True:
            taken = self._reader.take()
            if taken is None:
                how = f", {self._reader.remark}" if self._reader.remark else ""
                raise SourceEnded(f"{self._path}: {self._reader.frames} frames{how}")
            if taken.number >= self._start:
                return taken
            if time.monotonic() >= deadline:
                return None

    def _is_time(self, note: FrameNote, deadline: float) -> bool:
        """Sleep until the frame is due; False when it is not due in time."""
        if not self._realtime:
            return True
        now = time.monotonic()
        if self._due is None:
            self._due, self._before_ns = now, note.captured_ns
        due = self._due + min(max(0, note.captured_ns - self._before_ns), _LONGEST_NS) / 1e9
        time.sleep(max(0.0, min(due, deadline) - now))
        if due > deadline:
            return False
        self._due, self._before_ns = max(due, now), note.captured_ns
        return True

    def _name(self, taken: Taken) -> str:
        return f"{self._path} frame {taken.number}"


def _parse(name: str, suffix: str, data: bytes) -> Array:
    """Read a frame's file: an array as it was, also where it has the shape of a picture."""
    from agent.npy import parse_npy
    from agent.sources.pictures.picture import parse_picture

    if suffix != ".npy":
        return parse_picture(name, data)
    try:
        return parse_npy(data)
    except ValueError as error:
        raise InputRejected("read recorded frame", name, str(error), "Record it again") from error


def needs(options: Options) -> Needs:
    """Say what it reads: the file."""
    return Needs(read=(options.path,))


def build(options: Options, *, start: int) -> RecordedSource:
    """Open the recording; the first frame given is number ``start``.

    Raises:
        InputRejected: there is no such file, or it is no recording.
    """
    from agent.sources._quiet import quiet

    check_file(OP, options.path)
    quiet()
    try:
        file = Path(options.path).open("rb")  # noqa: SIM115 - the source closes it
    except OSError as error:
        raise unreadable(OP, options.path, error) from error
    try:
        return RecordedSource(options.path, file, start, realtime=options.realtime)
    except InputRejected:
        file.close()
        raise
    except OSError as error:
        file.close()
        raise unreadable(OP, options.path, error) from error
