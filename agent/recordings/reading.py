"""Reads a recording that nobody vouches for: within bounds, and up to where it is sound."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from agent.errors import InputRejected
from agent.recordings import documents
from agent.recordings.documents import FrameNote, Head, Outcome, Results
from agent.recordings.members import BLOCK, Cut, Member, content, damaged, members
from agent.recordings.writing import frame_name

if TYPE_CHECKING:
    from collections.abc import Iterator

CUT = "it is cut short"


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame as it was recorded; ``data`` is where its file stands, None for one that failed."""

    number: int
    note: FrameNote
    data: Member | None


class Reader:
    """Reads one recording, from its beginning to its end.

    Args:
        file: the recording; the caller's to close.
        path: what errors call it.

    Attributes:
        head: what it is of.
        frames: how many were passed so far.
        frames_end: where the last of them ends, bytes.
        remark: how it ends otherwise than it should; "" for nothing.
        results: what its results are of; None as long as none were met.

    Raises:
        InputRejected: it does not begin as a recording does.
        OSError: it cannot be read.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self._members = members(file, path)
        self._records: Member | None = None
        self.frames = 0
        self.remark = ""
        self.results: Results | None = None
        try:
            first = next(self._members, None)
            if first is None or first.name != documents.HEAD:
                raise damaged(path, "it is no recording of this agent")
            self.head = documents.parse(Head, self._read(first), first.name, path)
        except Cut as error:
            raise damaged(path, "it is no recording, or cut short at its beginning") from error
        self.frames_end = _end(first)

    def take(self) -> Taken | None:
        """Give the next frame; None after the last one. Its data is not read yet.

        Raises:
            InputRejected: what comes next is damaged: nothing after it can be read.
            OSError: the file cannot be read.
        """
        if self.remark or self.results is not None:
            return None
        try:
            found = self._next()
        except Cut:
            self.remark = CUT
            return None
        except InputRejected as error:
            self.remark = error.problem
            raise
        return found

    def _next(self) -> Taken | None:
        one = next(self._members, None)
        if one is None:
            return None
        if one.name == documents.RESULTS:
            self._read_results(one)
            return None
        number = self.frames
        if one.name != frame_name(number, ".json"):
            raise damaged(self._path, f"{one.name[:60]!r} stands where frame {number} should")
        if number >= documents.MAX_FRAMES:
            raise damaged(self._path, f"it has more than {documents.MAX_FRAMES} frames")
        note = documents.parse(FrameNote, self._read(one), one.name, self._path)
        data = None
        if note.suffix:
            one = self._member()
            if one.name != frame_name(number, note.suffix):
                raise damaged(self._path, f"{one.name[:60]!r} stands where frame {number} should")
            data = one
        self.frames += 1
        self.frames_end = _end(one)
        return Taken(number, note, data)

    def data(self, taken: Taken) -> bytes:
        """Read a frame's file.

        Raises:
            InputRejected: it is not the one that was recorded; the frames after it may be fine.
            OSError: it cannot be read.
        """
        if taken.data is None:
            return b""
        try:
            found = content(self._file, taken.data, documents.MAX_FRAME, self._path)
        except Cut as error:
            raise damaged(self._path, f"frame {taken.number} is cut short") from error
        if hashlib.sha256(found).hexdigest() != taken.note.sha256:
            raise damaged(self._path, f"frame {taken.number} is not the one that was recorded: its digest")
        return found

    def outcomes(self) -> Iterator[Outcome]:
        """Give the results, after all frames were taken; none where there are none.

        Raises:
            InputRejected: they are damaged.
            OSError: they cannot be read.
        """
        if self._records is None:
            return
        self._file.seek(self._records.at)
        left, number = self._records.size, 0
        while left > 0:
            line = self._file.readline(min(left, documents.MAX_DOCUMENT + 1))
            if len(line) > documents.MAX_DOCUMENT or not line.endswith(b"\n"):
                raise damaged(self._path, f"line {number + 1} of its results is too long or cut short")
            left -= len(line)
            number += 1
            found = documents.parse(Outcome, line, f"result {number}", self._path)
            if found.frame >= self.frames or number > self.frames:
                raise damaged(self._path, f"result {number} is one too many: it has {self.frames} frames")
            yield found

    def _read_results(self, one: Member) -> None:
        """Read what the results are of; results that are not whole are none."""
        results = documents.parse(Results, self._read(one), one.name, self._path)
        records = self._member()
        if records.name != documents.RECORDS or records.size > documents.MAX_RECORDS:
            raise damaged(self._path, f"{records.name[:60]!r} stands where results should")
        self._records, self.results = records, results

    def _member(self) -> Member:
        """Give a member that must come."""
        one = next(self._members, None)
        if one is None:
            raise Cut
        return one

    def _read(self, one: Member) -> bytes:
        return content(self._file, one, documents.MAX_DOCUMENT, self._path)


def _end(one: Member) -> int:
    return one.at + one.size + -one.size % BLOCK
