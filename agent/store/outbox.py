"""The outbox: results wait here, on disk, until the collector has stored them.

Records get their sequence number, from 1, in an *epoch*: one opening of the outbox, named by 64 random bits.
Earlier epochs are read only, and are drained first. Reading deletes nothing; an acknowledgement first moves
the cursor, durably, and then unlinks the segments below it: the other order loses track after a power cut.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.blocks import Lease
from agent.events import Event, emit
from agent.store.builder import BlockBuilder, StoreSettings
from agent.store.chain import SegmentChain, SegmentName
from agent.store.database import refusals, sync_folder
from agent.store.state import EpochRow, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.blocks import Position
    from agent.clock import Clock

_STREAM = "result"
_BLOCKS_A_COMMIT = 32
"""So that one transaction, and the growth of one segment, stay small after the disk was away."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Where the store stands.

    Attributes:
        epoch: the epoch being written.
        accepted: the last sequence number given out in it.
        committed: the last one that is durable.
        acked: the last one that the collector has stored.
        backlog: records on disk, of all epochs, that are not acknowledged.
        size: bytes of all segment files.
    """

    epoch: str
    accepted: int
    committed: int
    acked: int
    backlog: int
    size: int


@dataclass(slots=True)
class _Epoch:
    chain: SegmentChain
    acked: int


class Outbox:
    """The store's core. For one thread; closing does not flush.

    Args:
        folder: the data folder; ``state.db`` and ``segments/`` are made in it.
        clock: dates records and measures how long they wait.
        settings: how records are gathered and laid out.

    Raises:
        StoreBusy: the disk refuses for now.
        FolderUnusable: a file in the folder is damaged, or of another version.
    """

    def __init__(self, folder: Path, *, clock: Clock, settings: StoreSettings | None = None) -> None:
        self._settings = settings or StoreSettings()
        self._builder = BlockBuilder(clock, self._settings)
        self._folder = folder / "segments"
        with refusals("open", folder):
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700)
                sync_folder(folder)
        self._state = State(folder / "state.db")
        with ExitStack() as undo:
            undo.callback(self._state.close)
            self._epochs = self._reopen()
            self.epoch = secrets.token_hex(8)
            self._state.begin([EpochRow(self.epoch, _STREAM)])
            undo.pop_all()
        self._live = _Epoch(self._chain(_STREAM, self.epoch), 0)
        self._epochs[self.epoch] = self._live

    def put(self, records: Sequence[Mapping[str, Any]], ledgers: Mapping[str, Mapping[str, Any]]) -> int:
        """Take records into memory; give the last one's sequence number.

        Each gets ``t``, the wall time of its capture in ns since 1970, worked out from its ``captured_ns``.

        Args:
            records: JSON objects.
            ledgers: each pipeline's ledger as of the last record; it replaces an earlier one.
        """
        return self._builder.add(records, ledgers)

    def due(self, now: float) -> float | None:
        """Seconds from ``now`` (monotonic) until ``flush`` should be called; None when nothing waits."""
        if self._builder.closed:
            return 0.0
        if self._builder.opened_at is None:
            return None
        return max(0.0, self._builder.opened_at + self._settings.commit_interval_s - now)

    def flush(self) -> int:
        """Make durable all that was put; give the last committed sequence number of this epoch.

        Raises:
            StoreBusy: the disk refuses for now. What is not committed stays in memory; call again.
            FolderUnusable: the segment is damaged. Likewise; the next call writes to another one.
        """
        self._builder.close()
        waiting = self._builder.closed
        while waiting:
            self._live.chain.append(waiting[:_BLOCKS_A_COMMIT])
            del waiting[:_BLOCKS_A_COMMIT]
        self._live.chain.drop_upto(self._live.acked)  # what was being written when its acknowledgement came
        return self._live.chain.last

    def lease(self, after: Position | None, max_bytes: int) -> Lease | None:
        """Give committed blocks to send; they stay in the store.

        Args:
            after: where the last lease ended. None, or a place unknown here: from the oldest that is not
                acknowledged.
            max_bytes: about how much; one block is given whatever its size.

        Returns:
            Blocks of one epoch, or None when nothing follows.

        Raises:
            StoreBusy: the disk refuses for now.
            FolderUnusable: what comes next is damaged.
        """
        names = list(self._epochs)
        start = names.index(after.epoch) if after is not None and after.epoch in self._epochs else 0
        for name in names[start:]:
            epoch = self._epochs[name]
            seq = epoch.acked + 1
            if after is not None and after.epoch == name:
                seq = max(seq, after.seq + 1)
            if blocks := epoch.chain.read(seq, max_bytes):
                # An acknowledgement may end inside a block, which goes out whole: low is never above it.
                low = min(epoch.chain.held_from(epoch.acked + 1), blocks[0].first)
                return Lease(epoch=name, low=low, blocks=blocks, live=epoch is self._live)
        return None

    def ack(self, epoch: str, upto: int) -> int:
        """Note that the collector has stored ``epoch`` up to ``upto``; unlink what is delivered.

        What was never committed here cannot be acknowledged: such a message is ignored, as is an older one.

        Returns:
            How many records are newly acknowledged.

        Raises:
            StoreBusy: the disk refuses for now; nothing has changed.
            FolderUnusable: state.db is damaged.
        """
        entry = self._epochs.get(epoch)
        if entry is None or not entry.acked < upto <= entry.chain.last:
            return 0
        self._state.acknowledge(epoch, upto)
        count = entry.chain.count(entry.acked + 1, upto)
        entry.acked = upto
        entry.chain.drop_upto(upto)
        return count

    def status(self) -> StoreStatus:
        """Where the store stands."""
        chains = [(entry.chain, entry.acked) for entry in self._epochs.values()]
        return StoreStatus(
            epoch=self.epoch,
            accepted=self._builder.last,
            committed=self._live.chain.last,
            acked=self._live.acked,
            backlog=sum(chain.count(acked + 1, chain.last) for chain, acked in chains),
            size=sum(chain.size() for chain, _ in chains),
        )

    def close(self) -> None:
        """Close the files. Idempotent. What was not flushed is gone."""
        self._live.chain.close()
        self._state.close()

    def _chain(self, stream: str, epoch: str) -> SegmentChain:
        return SegmentChain(self._folder, stream, epoch, self._settings.segment_bytes)

    def _reopen(self) -> dict[str, _Epoch]:
        """Take up what earlier runs left: close their epochs, forget the delivered ones."""
        files = self._files()
        rows = self._state.epochs()
        known = {row.epoch for row in rows}
        # A state.db that was lost or restored knows too little: what is on disk is sent, perhaps again.
        found = [EpochRow(epoch, stream) for stream, epoch in files if epoch not in known]
        self._state.begin(found)
        epochs: dict[str, _Epoch] = {}
        done = []
        for row in (*rows, *found):
            chain = self._chain(row.stream, row.epoch)
            chain.load(files.get((row.stream, row.epoch), ()), row.last, row.acked)
            if chain.empty:
                done.append(row.epoch)
                if chain.last > row.acked:
                    emit(Event.SEGMENT_MISSING, row.epoch, first=row.acked + 1, last=chain.last)
                continue
            if row.last is None:
                self._state.end(row.epoch, chain.last)
            epochs[row.epoch] = _Epoch(chain, row.acked)
        if done:
            with refusals("sync", self._folder):
                sync_folder(self._folder)  # a file that came back would be taken for one never sent
            self._state.forget(done)
        return epochs

    def _files(self) -> dict[tuple[str, str], list[int]]:
        """The first sequence numbers of the segment files of each stream and epoch, oldest epoch first."""
        files: dict[tuple[str, str], list[int]] = {}
        with refusals("list", self._folder):
            paths = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in paths:
            if (name := SegmentName.parse(path.name)) is not None:
                files.setdefault((name.stream, name.epoch), []).append(name.first)
        return files
