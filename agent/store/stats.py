"""What a data folder holds, counted without unpacking a block."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.blocks import STREAMS
from agent.sqlite import refusals
from agent.store.inspect import count, edge_times, look_at_state, segment_files
from agent.store.repair import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.blocks import Stream
    from agent.store.inspect import SegmentFile, StateLook


@dataclass(frozen=True, slots=True)
class StreamStats:
    """One stream.

    Attributes:
        epochs: how many have something on disk, or waiting to be told.
        segments, blocks, records, size: what is on disk; ``size`` in bytes.
        oldest_ns, newest_ns: wall times of the oldest and the newest record, ns since 1970, where known.
        waiting: records that the collector does not have yet.
        lost: records ever lost, by reason.
    """

    epochs: int
    segments: int
    blocks: int
    records: int
    size: int
    oldest_ns: int | None
    newest_ns: int | None
    waiting: int
    lost: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FolderStats:
    """The whole folder; sizes in bytes.

    Attributes:
        streams: each stream.
        quarantine: files and bytes of damaged files that are kept.
        ballast: the file that is given up when the disk is full; 0 when there is none now.
        free: what the file system has left for us.
        counters: what state.db counts.
        problem: what is wrong with state.db; "" when nothing.
    """

    streams: Mapping[Stream, StreamStats]
    quarantine: tuple[int, int]
    ballast: int
    free: int
    counters: Mapping[str, int]
    problem: str


def stats(folder: Path) -> FolderStats:
    """Count, also while an agent runs.

    Raises:
        StoreBusy: a file cannot be read for now.
        FolderUnusable: the folder cannot be looked into, or is of another version.
    """
    files = segment_files(folder)
    state = look_at_state(folder)
    with refusals("look into", folder):
        disk = os.statvfs(folder)
        aside = folder / QUARANTINE
        kept = [path.stat().st_size for path in aside.iterdir()] if aside.is_dir() else []
        ballast = folder / "ballast"
        return FolderStats(
            streams={
                stream: _stream(stream, [file for file in files if file.name.stream == stream], state)
                for stream in STREAMS
            },
            quarantine=(len(kept), sum(kept)),
            ballast=ballast.stat().st_size if ballast.exists() else 0,
            free=disk.f_bavail * disk.f_frsize,
            counters=state.counters,
            problem=state.problem,
        )


def _stream(stream: Stream, files: list[SegmentFile], state: StateLook) -> StreamStats:
    counts = {file: count(file) for file in files}
    times = [edge_times(file) for file in (files[:1] + files[-1:])]
    rows = {row.epoch: row for row in state.epochs if row.stream == stream}
    waiting = 0
    for file, (_, records) in counts.items():
        acked = rows[file.name.epoch].acked if file.name.epoch in rows else 0
        waiting += max(0, min(records, file.name.first + records - 1 - acked))
    prefix, suffix = "lost_", f"_{stream}"
    return StreamStats(
        epochs=len({file.name.epoch for file in files} | rows.keys()),
        segments=len(files),
        blocks=sum(blocks for blocks, _ in counts.values()),
        records=sum(records for _, records in counts.values()),
        size=sum(file.size for file in files),
        oldest_ns=times[0][0] if times else None,
        newest_ns=times[-1][1] if times else None,
        waiting=waiting,
        lost={
            name.removeprefix(prefix).removesuffix(suffix): value
            for name, value in sorted(state.counters.items())
            if name.startswith(prefix) and name.endswith(suffix)
        },
    )
