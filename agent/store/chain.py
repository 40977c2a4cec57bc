"""The segment files of one epoch: written at the end, read anywhere, unlinked from the front."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.blocks import STREAMS, Loss
from agent.errors import FileDamaged, StoreBusy
from agent.events import Event, emit
from agent.sqlite import LOG_PAGES, identity, refusals, remove_database
from agent.store import repair
from agent.store.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.blocks import Block, LossReason, Stream, Times

_NAME = re.compile(r"([a-z]+)-([0-9a-f]{16})-([0-9]{12,16})\.db")


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment's file name says: its stream, its epoch, and its first sequence number."""

    stream: Stream
    epoch: str
    first: int

    @classmethod
    def parse(cls, name: str) -> SegmentName | None:
        """Read a file name; None when it is none of ours."""
        found = _NAME.fullmatch(name)
        stream = next((one for one in STREAMS if found and found[1] == one), None)
        return cls(stream, found[2], int(found[3])) if found and stream else None

    def __str__(self) -> str:
        return f"{self.stream}-{self.epoch}-{self.first:012d}.db"


@dataclass(slots=True)
class Piece:
    """One segment file and the records it holds; empty while ``last`` is below ``first``.

    ``rescued`` holds the sound blocks of a damaged file that the disk does not let us write again.
    """

    path: Path
    first: int
    last: int
    size: int
    rescued: tuple[Block, ...] | None = None


class SegmentChain:
    """One epoch's segments, oldest first.

    Args:
        folder: where the files are.
        stream: the stream that the epoch belongs to.
        epoch: 16 hex digits.
        segment_bytes: the size at which the next segment is begun.
        log_pages: at how many pages the log beside the file being written is folded in.

    Attributes:
        last: the last sequence number that was committed.
        found_lost: what turned out to be gone; whoever has noted it empties the list.
    """

    def __init__(
        self, folder: Path, stream: Stream, epoch: str, segment_bytes: int, log_pages: int = LOG_PAGES
    ) -> None:
        self._folder = folder
        self._stream = stream
        self._epoch = epoch
        self._segment_bytes = segment_bytes
        self._log_pages = log_pages
        self._home: tuple[int, int] | None = None
        self._pieces: list[Piece] = []
        self._writer: Segment | None = None
        self.last = 0
        self.found_lost: list[Loss] = []

    def load(self, firsts: Sequence[int], last: int | None, acked: int) -> None:
        """Take up the files that an earlier run left; those wholly acknowledged are unlinked.

        Args:
            firsts: the first sequence number of each file.
            last: the epoch's last one, when it is known; else the newest file is asked.
            acked: how far the epoch is acknowledged.

        Raises:
            StoreBusy: a file cannot be read for now.
        """
        names = [SegmentName(self._stream, self._epoch, first) for first in sorted(firsts)]
        self._home = self._must_be_home()
        for name in names:
            path = self._folder / str(name)
            if self._pieces:
                self._pieces[-1].last = name.first - 1
            with refusals("read", path):
                self._pieces.append(Piece(path, name.first, name.first - 1, path.stat().st_size))
        if last is None and self._pieces:
            last = self._ask_newest()
        self.last = max(acked, last or 0)
        if self._pieces:
            self._pieces[-1].last = self.last
        self.drop_upto(acked)

    def append(self, blocks: Sequence[Block]) -> None:
        """Commit blocks that follow ``last``: all of them, or none.

        Raises:
            StoreBusy: the disk refuses for now; the same call may succeed later.
            FileDamaged: the newest file is damaged; the same call writes to another one.
        """
        writer = self._writer
        if writer is None or not self._takes(blocks[0].first):
            writer = self._roll(blocks[0].first)
        piece = self._pieces[-1]
        try:
            piece.size = writer.append(blocks)
            piece.last = self.last = blocks[-1].last
        except FileDamaged:
            self._abandon()
            raise

    def read(self, seq: int, max_bytes: int) -> tuple[Block, ...]:
        """Give adjacent blocks from the one that holds ``seq``, or comes next if that one is gone.

        What is found damaged or missing on the way is set aside and noted in ``found_lost``.

        Raises:
            StoreBusy: they cannot be read for now.
        """
        for piece in [piece for piece in self._pieces if piece.last >= max(seq, piece.first)]:
            wanted = max(seq, piece.first)
            blocks = self._read_piece(piece, wanted, max_bytes)
            held = tuple(block for block in blocks if block.first <= piece.last)
            if not held:
                self._lose(piece, wanted, piece.last, "missing")
                piece.last = wanted - 1
                continue
            if held[0].first > wanted:
                self._lose(piece, wanted, held[0].first - 1, "damaged")
            return held
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
        while self._pieces and not self._written(self._pieces[0]) and self._pieces[0].last <= seq:
            if not self._unlink(self._pieces[0]):
                break

    def newest(self) -> Piece | None:
        """The newest file that holds something."""
        return next((piece for piece in reversed(self._pieces) if piece.last >= piece.first), None)

    def oldest(self, *, written: bool) -> Piece | None:
        """The oldest file that holds something: of those written no more, or the one being written."""
        for piece in self._pieces:
            if self._written(piece) == written and piece.last >= piece.first:
                return piece
        return None

    def newest_times(self, piece: Piece) -> Times | None:
        """When the last records of a file were made; None when it cannot say.

        Raises:
            StoreBusy: it cannot be read for now.
        """
        blocks = self._read_piece(piece, piece.last, 1)
        return blocks[-1].times if blocks else None

    def oldest_times(self, piece: Piece, seq: int) -> Times | None:
        """When the records from ``seq`` on were made; None when the file cannot say."""
        blocks = self._read_piece(piece, max(seq, piece.first), 1)
        return blocks[0].times if blocks else None

    def evict(self, piece: Piece) -> bool:
        """Unlink a file whatever it holds; say whether it is gone."""
        if self._written(piece):
            self.close()
        return self._unlink(piece)

    def close(self) -> None:
        """Close the segment being written. Idempotent."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _written(self, piece: Piece) -> bool:
        return self._writer is not None and self._writer.path == piece.path

    def _unlink(self, piece: Piece) -> bool:
        try:
            remove_database(piece.path)
        except OSError as error:  # what could not go now goes with the next acknowledgement
            emit(Event.STORE_FAILED, f"unlink {piece.path}", problem=error.strerror)
            return False
        self._pieces.remove(piece)
        return True

    def _ask_newest(self) -> int:
        newest = self._pieces[-1]
        try:
            with closing(Segment.create(newest.path)) as segment:  # folds in the log that a crash left
                last = segment.last()
        except FileDamaged as error:
            last = self._rescue(newest, error)
        return max(newest.first - 1, last)

    def _read_piece(self, piece: Piece, seq: int, max_bytes: int) -> tuple[Block, ...]:
        if piece.rescued is None:
            try:
                if self._writer is not None and self._written(piece):
                    return self._writer.read(seq, max_bytes)
                if not piece.path.exists():
                    self._must_be_home()
                    return ()
                with closing(Segment.sealed(piece.path)) as segment:
                    return segment.read(seq, max_bytes)
            except FileDamaged as error:
                self._rescue(piece, error)
                if piece.rescued is None:
                    return self._read_piece(piece, seq, max_bytes)
        return repair.adjacent(piece.rescued or (), seq, max_bytes)

    def _must_be_home(self) -> tuple[int, int]:
        """Say which folder is there; no file is taken for gone, and none made, while it is not ours.

        Raises:
            StoreBusy: it is away, or another one stands in its place.
        """
        with refusals("open", self._folder):
            found = identity(self._folder)
        if self._home not in {None, found}:
            raise StoreBusy("open", str(self._folder), "another folder stands in its place", "Mount it again")
        return found

    def _rescue(self, piece: Piece, error: FileDamaged) -> int:
        """Set a damaged file aside and go on with its sound blocks; give the last record among them."""
        if self._written(piece):
            self.close()
        emit(Event.SEGMENT_QUARANTINED, piece.path.name, problem=error.problem)
        blocks = repair.sound_blocks(piece.path)
        piece.rescued = None if repair.replace(piece.path, blocks) else blocks
        return blocks[-1].last if blocks else 0

    def _lose(self, piece: Piece, first: int, last: int, reason: LossReason) -> None:
        emit(Event.SEGMENT_MISSING, piece.path.name, count=last - first + 1, first=first, last=last)
        self.found_lost.append(Loss(first, last, reason))

    def _takes(self, first: int) -> bool:
        """Whether the file being written goes on with ``first``: without a hole, from where its name says."""
        piece = self._pieces[-1]
        due = self.last + 1 if piece.last >= piece.first else piece.first
        return first == due and piece.size < self._segment_bytes

    def _roll(self, first: int) -> Segment:
        path = self._folder / str(SegmentName(self._stream, self._epoch, first))
        before = self._must_be_home()
        segment = Segment.create(path, self._log_pages)
        self.close()
        self._home, self._writer = before, segment
        self._pieces.append(Piece(path, first, first - 1, 0))
        return segment

    def _abandon(self) -> None:
        """Leave a damaged segment; one without a committed block is unlinked: its name is needed again."""
        self.close()
        piece = self._pieces[-1]
        if piece.last < piece.first:
            with refusals("unlink", piece.path):
                remove_database(piece.path)
            self._pieces.pop()
