"""How far each epoch of a data folder has come, for who holds the folder."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.store.chain import SegmentName
from agent.store.segment import Segment
from agent.store.state import State

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class EpochAccount:
    """One epoch of a stream: its last committed sequence number, and how far the collector has it."""

    stream: str
    epoch: str
    last: int
    acked: int


def epoch_accounts(folder: Path) -> list[EpochAccount]:
    """Give every epoch of a data folder, oldest first. The caller holds the folder (``DataFolder``).

    Raises:
        StoreBusy: the disk refuses for now.
        FolderUnusable: a file is damaged, or of another version.
    """
    with closing(State(folder / "state.db")) as state:
        rows = state.epochs()
    names = [SegmentName.parse(path.name) for path in (folder / "segments").iterdir()] if rows else []
    accounts = []
    for row in rows:
        mine = (row.stream, row.epoch)
        firsts = [name.first for name in names if name is not None and (name.stream, name.epoch) == mine]
        last = max(row.acked, row.last or 0)
        if firsts:
            newest = folder / "segments" / str(SegmentName(row.stream, row.epoch, max(firsts)))
            with closing(Segment.create(newest)) as segment:
                last = max(last, segment.last())
        accounts.append(EpochAccount(row.stream, row.epoch, last, row.acked))
    return accounts
