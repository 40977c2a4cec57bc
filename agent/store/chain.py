"""The segment files of one epoch: written at the end, read anywhere, unlinked from the front."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import FolderUnusable
from agent.events import Event, emit
from agent.store.database import refusals, remove_database
from agent.store.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.blocks import Block

_NAME = re.compile(r"([a-z]+)-([0-9a-f]{16})-([0-9]{12,16})\.db")


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment's file name says: its stream, its epoch, and its first sequence number."""

    stream: str
    epoch: str
    first: int

    @classmethod
    def parse(cls, name: str) -> SegmentName | None:
        """Read a file name; None when it is none of ours."""
        if (found := _NAME.fullmatch(name)) is None:
            return None
        return cls(found[1], found[2], int(found[3]))

    def __str__(self) -> str:
        return f"{self.stream}-{self.epoch}-{self.first:012d}.db"


@dataclass(slots=True)
class _Piece:
    """One segment file and the records it holds; empty while ``last`` is below ``first``."""

    path: Path
    first: int
    last: int
    size: int


class SegmentChain:
    """One epoch's segments, oldest first.

    Args:
        folder: where the files are.
        stream: the stream that the epoch belongs to.
        epoch: 16 hex digits.
        segment_bytes: the size at which the next segment is begun.
    """

    def __init__(self, folder: Path, stream: str, epoch: str, segment_bytes: int) -> None:
        self._folder = folder
        self._stream = stream
        self._epoch = epoch
        self._segment_bytes = segment_bytes
        self._pieces: list[_Piece] = []
        self._writer: Segment | None = None
        self.last = 0
        """The last sequence number that was committed."""

    def load(self, firsts: Sequence[int], last: int | None, acked: int) -> None:
        """Take up the files that an earlier run left; those wholly acknowledged are unlinked.

        Args:
            firsts: the first sequence number of each file.
            last: the epoch's last one, when it is known; else the newest file is asked.
            acked: how far the epoch is acknowledged.

        Raises:
            StoreBusy: a file cannot be read for now.
            FolderUnusable: the newest file is damaged.
        """
        names = [SegmentName(self._stream, self._epoch, first) for first in sorted(firsts)]
        for name in names:
            path = self._folder / str(name)
            if self._pieces:
                self._pieces[-1].last = name.first - 1
            with refusals("read", path):
                self._pieces.append(_Piece(path, name.first, name.first - 1, path.stat().st_size))
        if last is None and self._pieces:
            newest = self._pieces[-1]
            with closing(Segment.create(newest.path)) as segment:  # folds in the log that a crash left
                last = max(newest.first - 1, segment.last())
        self.last = max(acked, last or 0)
        if self._pieces:
            self._pieces[-1].last = self.last
        self.drop_upto(acked)

    def append(self, blocks: Sequence[Block]) -> None:
        """Commit blocks that follow ``last``: all of them, or none.

        Raises:
            StoreBusy: the disk refuses for now; the same call may succeed later.
            FolderUnusable: the newest file is damaged; the same call writes to another one.
        """
        writer = self._writer
        if writer is None or self._pieces[-1].size >= self._segment_bytes:
            writer = self._roll(blocks[0].first)
        piece = self._pieces[-1]
        try:
            piece.size = writer.append(blocks)
            piece.last = self.last = blocks[-1].last
        except FolderUnusable:
            self._abandon()
            raise

    def read(self, seq: int, max_bytes: int) -> tuple[Block, ...]:
        """Give adjacent blocks from the one that holds ``seq``, or comes next if that one is gone.

        Raises:
            StoreBusy: they cannot be read for now.
            FolderUnusable: the block or its file is damaged.
        """
        for piece in [piece for piece in self._pieces if piece.last >= max(seq, piece.first)]:
            if self._writer is not None and self._writer.path == piece.path:
                blocks = self._writer.read(seq, max_bytes)
            elif piece.path.exists():
                with closing(Segment.sealed(piece.path)) as segment:
                    blocks = segment.read(seq, max_bytes)
            else:
                emit(Event.SEGMENT_MISSING, piece.path.name, first=piece.first, last=piece.last)
                self._pieces.remove(piece)
                continue
            if held := tuple(block for block in blocks if block.first <= piece.last):
                return held
            piece.last = seq - 1  # what came between this file and the next was lost
        return ()

    def held_from(self, seq: int) -> int:
        """The oldest sequence number from ``seq`` on that is held; ``last + 1`` when there is none."""
        for piece in self._pieces:
            if piece.last >= max(seq, piece.first):
                return max(seq, piece.first)
        return max(seq, self.last + 1)

    @property
    def empty(self) -> bool:
        """Whether there is no file."""
        return not self._pieces

    def count(self, first: int, last: int) -> int:
        """How many records from ``first`` to ``last`` are held."""
        return sum(max(0, min(last, p.last) - max(first, p.first) + 1) for p in self._pieces)

    def size(self) -> int:
        """Bytes of the segment files."""
        return sum(piece.size for piece in self._pieces)

    def drop_upto(self, seq: int) -> None:
        """Unlink the segments that hold nothing above ``seq``; the one being written stays."""
        for piece in list(self._pieces):
            written = self._writer is not None and self._writer.path == piece.path
            if written or piece.last > seq:
                break
            try:
                remove_database(piece.path)
            except OSError as error:  # what could not go now goes with the next acknowledgement
                emit(Event.STORE_FAILED, f"unlink {piece.path}", problem=error.strerror)
                break
            self._pieces.remove(piece)

    def close(self) -> None:
        """Close the segment being written. Idempotent."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _roll(self, first: int) -> Segment:
        path = self._folder / str(SegmentName(self._stream, self._epoch, first))
        segment = Segment.create(path)
        self.close()
        self._writer = segment
        self._pieces.append(_Piece(path, first, first - 1, 0))
        return segment

    def _abandon(self) -> None:
        """Leave a damaged segment; one without a committed block is unlinked: its name is needed again."""
        self.close()
        piece = self._pieces[-1]
        if piece.last < piece.first:
            with refusals("unlink", piece.path):
                remove_database(piece.path)
            self._pieces.pop()
