"""The disk's side of the outbox: state.db, and the segments that earlier runs left."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, get_args

from agent.blocks import LossReason
from agent.errors import DiskFull, FileDamaged, FolderUnusable, StoreBusy
from agent.events import Event, emit
from agent.files import sync_folder
from agent.sqlite import refusals, version_of
from agent.store import crossing, repair
from agent.store.chain import SegmentChain, SegmentName
from agent.store.inspect import began
from agent.store.queue import Epoch
from agent.store.rebuild import finish, rebuilt
from agent.store.state import FORMAT, EpochRow, State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.blocks import Stream
    from agent.slots import Change
    from agent.store.queue import StreamQueue
    from agent.store.settings import StoreSettings

REFUSALS = {76: DiskFull, 75: StoreBusy}
"""What exit codes of the migration stand for: what may be over in a while. Else a person must look."""
_MIGRATION_S = 60.0
"""It is done in less, file by file; what is cut off goes on at the next try."""


class Disk:
    """state.db and the folder of segments.

    Args:
        folder: the data folder.
        settings: the size of segments.

    Attributes:
        segments: where segment files are.
    """

    def __init__(self, folder: Path, settings: StoreSettings) -> None:
        self._folder = folder
        self._settings = settings
        self.segments = folder / "segments"
        self._state: State | None = None
        self._immovable = ""

    @property
    def open(self) -> bool:
        """Whether it has been attached."""
        return self._state is not None

    def attach(self, epoch: str, queues: Mapping[Stream, StreamQueue]) -> int:
        """Open what is there, and put the epochs of earlier runs before the live one.

        Args:
            epoch: the one that begins.
            queues: the streams.

        Returns:
            For how many seconds the agent had run when the newest record on disk was made.

        Raises:
            StoreBusy: the disk refuses for now; nothing has changed.
            FolderUnusable: a file is of another version, or not ours.
        """
        with refusals("open", self._folder):
            if not self.segments.is_dir():
                self.segments.mkdir(mode=0o700)
                sync_folder(self._folder)
            repair.finish(self.segments)
        finish(self._folder / "state.db")
        self._migrate()
        with ExitStack() as undo:
            state = self._open_state()
            undo.callback(state.close)
            older = self._reopen(state)
            counters = state.counters()
            state.begin([EpochRow(stream, epoch) for stream in queues])
            undo.pop_all()
        self._state = state
        for stream, queue in queues.items():
            queue.adopt(older.get(stream, []))
            for reason in get_args(LossReason):  # earlier runs counted so far
                queue.lost[reason] += counters.get(f"lost_{reason}_{stream}", 0)
        return max([0, *(self._age(epoch) for epochs in older.values() for epoch in epochs)])

    def note(self, queues: Mapping[Stream, StreamQueue]) -> None:
        """Make known losses durable.

        Raises:
            StoreBusy: the disk refuses for now.
        """
        for queue in queues.values():
            while queue.unnoted and self._state is not None:
                epoch, loss = queue.unnoted[0]
                self._state.lose(queue.stream, epoch, [loss])
                del queue.unnoted[0]

    def settle(self, queues: Mapping[Stream, StreamQueue]) -> None:
        """Make losses and acknowledgements durable, then unlink what is delivered, and forget what is over.

        Raises:
            StoreBusy: the disk refuses for now.
        """
        if self._state is None:
            return
        self.note(queues)
        for queue in queues.values():
            for epoch in list(queue.epochs.values()):
                if epoch.durable < epoch.acked:
                    self._state.acknowledge(queue.stream, epoch.name, epoch.acked)
                    epoch.durable = epoch.acked
                epoch.chain.drop_upto(epoch.durable)
                if epoch is not queue.live and epoch.chain.empty and epoch.durable >= epoch.chain.last:
                    self._forget(queue, epoch)

    def change(self, change: Change, wall_ns: int, *, synced: bool | None) -> tuple[int, str]:
        """Write a change of the models' rows; see ``State.change``.

        Raises:
            StoreBusy: the disk refuses for now; nothing has changed.
        """
        if self._state is None:
            raise StoreBusy("change", str(self._folder), "the folder is not open", "Check the disk")
        return self._state.change(change, wall_ns, synced=synced)

    def end(self, epoch: str, lasts: Mapping[Stream, int]) -> None:
        """Note where the live epoch ends, if the disk lets us: then its last block cannot vanish unseen."""
        if self._state is None:
            return
        try:
            self._state.end({(stream, epoch): last for stream, last in lasts.items()})
        except StoreBusy as error:
            emit(Event.STORE_FAILED, "note the epoch's end", problem=error)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._state is not None:
            self._state.close()
            self._state = None

    def _forget(self, queue: StreamQueue, epoch: Epoch) -> None:
        with refusals("sync", self.segments):
            sync_folder(self.segments)  # a file that came back would be taken for one never sent
        if self._state is not None:
            self._state.forget([(queue.stream, epoch.name)])
        del queue.epochs[epoch.name]

    def _migrate(self) -> None:
        """Have files of an earlier release brought up, by a program of its own."""
        path = self._folder / "state.db"
        try:
            found = version_of(path)
        except FileDamaged:
            found = None  # it is set aside in a moment
        if not crossing.cut_off(self._folder) and (found is None or found >= FORMAT.version):
            return
        if not self._immovable:  # else it would end so again
            done = self._migrated()
            said = done.stderr.strip().rpartition("\n")[2]
            if done.returncode == 0:
                files, after = len(done.stdout.split()), FORMAT.version
                emit(
                    Event.STORE_MIGRATED, str(self._folder), before=found, after=after, files=files, said=said
                )
                return
            kind = REFUSALS.get(done.returncode)
            if kind is not None:
                raise kind("migrate", str(self._folder), said)
            self._immovable = said or f"it ended with {done.returncode}"
        hint = "See what it says: edge-agent store migrate"
        raise FolderUnusable("migrate", str(self._folder), self._immovable, hint)

    def _migrated(self) -> subprocess.CompletedProcess[str]:
        """Run the program to its end."""
        command = [sys.executable, "-m", "agent.store.migrate", str(self._folder)]
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_MIGRATION_S,
            )
        except subprocess.TimeoutExpired as error:
            problem = f"it was not done in {_MIGRATION_S:.0f} s, and goes on at the next try"
            raise StoreBusy("migrate", str(self._folder), problem, "Check the disk") from error

    def _open_state(self) -> State:
        """Open state.db; one that is damaged is set aside: what is on disk is sent again."""
        path = self._folder / "state.db"
        try:
            return State(path, self._settings.log_pages)
        except FileDamaged as error:
            return rebuilt(path, error, self._settings.log_pages)

    def _reopen(self, state: State) -> dict[Stream, list[Epoch]]:
        """Take up what earlier runs left: end their epochs, forget the delivered ones."""
        files = self._files()
        rows = state.epochs()
        known = {(row.stream, row.epoch) for row in rows}
        # A state.db that was lost or restored knows too little: what is on disk is sent, perhaps again.
        unknown = {place: firsts for place, firsts in files.items() if place not in known}
        found = [EpochRow(*place) for place in self._in_order(unknown)]
        state.begin(found)
        losses = state.losses()
        epochs: dict[Stream, list[Epoch]] = {}
        ended: dict[tuple[Stream, str], int] = {}
        done = []
        for row in (*rows, *found):
            place = (row.stream, row.epoch)
            chain = SegmentChain(self.segments, row.stream, row.epoch, self._settings.segment_limit)
            epoch = Epoch(row.epoch, chain, row.acked, row.acked, losses.get(place, []))
            chain.load(files.get(place, ()), row.last, row.acked)
            chain.last = max([chain.last, *(loss.last for loss in epoch.losses)])
            self._finish_evictions(epoch)
            if chain.last <= epoch.acked and chain.empty:
                done.append(place)
                continue
            if row.last is None:
                ended[place] = chain.last
            epochs.setdefault(row.stream, []).append(epoch)
        state.end(ended)
        if done:
            with refusals("sync", self.segments):
                sync_folder(self.segments)
            state.forget(done)
        return epochs

    @staticmethod
    def _finish_evictions(epoch: Epoch) -> None:
        """Unlink files whose records were noted as lost just before a crash."""
        while (piece := epoch.chain.oldest(written=False)) is not None:
            first = max(piece.first, epoch.acked + 1)
            if epoch.unknown(first, piece.last) or not epoch.chain.evict(piece):
                break

    @staticmethod
    def _age(epoch: Epoch) -> int:
        """When the epoch's newest record was made, in seconds of powered time; 0 when nobody can say."""
        newest = epoch.chain.newest()
        try:
            times = epoch.chain.newest_times(newest) if newest else None
        except StoreBusy:
            return 0
        return times.powered_s if times else 0

    def _files(self) -> dict[tuple[Stream, str], list[int]]:
        """The first sequence numbers of the segment files of each stream and epoch."""
        files: dict[tuple[Stream, str], list[int]] = {}
        with refusals("list", self.segments):
            paths = list(self.segments.iterdir())
        for path in paths:
            if (name := SegmentName.parse(path.name)) is not None:
                files.setdefault((name.stream, name.epoch), []).append(name.first)
        return files

    def _in_order(self, files: Mapping[tuple[Stream, str], list[int]]) -> list[tuple[Stream, str]]:
        """Epochs that state.db does not know, oldest first: by powered time, since a wall clock may step."""
        oldest = {
            place: self.segments / str(SegmentName(*place, min(firsts))) for place, firsts in files.items()
        }
        return sorted(files, key=lambda place: began(oldest[place]))
