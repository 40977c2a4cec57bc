"""Writes a recording: each frame goes to the file as a whole, so what was written before a crash is sound."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

from agent.errors import InputRejected
from agent.recordings import documents
from agent.recordings.members import END, member

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.recordings.documents import FrameNote, Head, Outcome, Results

_COPIED = 1 << 20


def frame_name(number: int, suffix: str) -> str:
    """Give the name of a frame's member."""
    return f"frames/{number:07}{suffix}"


class Writer:
    """Writes frames up to a bound.

    Args:
        file: where to, unbuffered: each frame is handed to the kernel at once.
        most: bytes that the whole may have.

    Attributes:
        frames: how many were written.
        bytes: how many so far.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self.frames = 0
        self.bytes = 0

    def begin(self, head: Head) -> None:
        """Write what the recording is of."""
        self._put(member(documents.HEAD, documents.write(head)))

    def frame(self, note: FrameNote, data: bytes = b"") -> bool:
        """Write a frame, with the digest of its data; False when it does not fit any more.

        Args:
            note: what it is; without a suffix it has no data.
            data: the picture or array, as its suffix says.
        """
        if note.suffix:
            note = note.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
        whole = member(frame_name(self.frames, ".json"), documents.write(note))
        if note.suffix:
            whole += member(frame_name(self.frames, note.suffix), data)
        if self.bytes + len(whole) + len(END) > self._most or self.frames >= documents.MAX_FRAMES:
            return False
        self._put(whole)
        self.frames += 1
        return True

    def end(self) -> None:
        """Write the archive's end."""
        self._put(END)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # a write may be short, as before a disk is full
            left = left[self._file.write(left) :]
        self.bytes += len(data)


def with_results(
    recording: BinaryIO, frames_end: int, into: BinaryIO, results: Results, outcomes: Iterable[Outcome]
) -> None:
    """Copy a recording's frames, and write results after them, in the place of any that it had.

    Args:
        recording: the recording.
        frames_end: where its frames end, as ``reading`` says.
        into: the new file.
        results: what they are of.
        outcomes: one for each frame.

    Raises:
        InputRejected: the results are larger than a recording may hold; nothing is written.
        OSError: one cannot be read, the other not be written.
    """
    about, records = documents.write(results), documents.lines(outcomes)
    for data, most in ((about, documents.MAX_DOCUMENT), (records, documents.MAX_RECORDS)):
        if len(data) > most:
            problem = f"its results have {len(data)} bytes, {most} are allowed"
            raise InputRejected(
                "write results", "recording", problem, "Record fewer frames, or raise min_score"
            )
    recording.seek(0)
    left = frames_end
    while left and (some := recording.read(min(left, _COPIED))):
        into.write(some)
        left -= len(some)
    into.write(member(documents.RESULTS, about))
    into.write(member(documents.RECORDS, records))
    into.write(END)
