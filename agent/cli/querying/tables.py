"""The records of a data folder, filtered, as rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.blocks import STREAMS, unpack
from agent.cli.querying import rows
from agent.errors import MessageInvalid
from agent.store.inspect import look, look_at_state, segment_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.blocks import Block, Content, Stream
    from agent.store.inspect import SegmentFile

TABLES: dict[Stream, str] = {"result": "results", "alert": "alerts", "metric": "metrics"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: of these streams, of one pipeline or all, from a wall time on (ns since 1970)."""

    streams: Sequence[Stream] = STREAMS
    pipeline: str = ""
    since_ns: int | None = None

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a record, or a row of one, is wanted."""
        wall_ns, pipeline = row.get("wall_ns"), row.get("pipeline")
        late = self.since_ns is None or (wall_ns if isinstance(wall_ns, int) else 0) >= self.since_ns
        return late and self.pipeline in {"", pipeline}

    def may_hold(self, block: Block) -> bool:
        """Whether a block can hold something wanted, by its times."""
        return self.since_ns is None or block.times is None or block.times.to_ns >= self.since_ns


@dataclass(slots=True)
class Reader:
    """Reads a folder block by block, beside the agent that writes it.

    Attributes:
        damaged: records in damaged blocks, so far.
        left_out: records that were not looked at, since there were enough.
        seen: records that were looked at, wanted or not.
        columns: of a result or an alert, those that are worked out.
    """

    folder: Path
    wanted: Wanted
    damaged: int = 0
    left_out: int = 0
    seen: int = 0
    columns: Collection[str] = tuple(rows.RESULTS)
    _acked: dict[tuple[Stream, str], int] = field(default_factory=dict)

    def results(self, *, newest_first: bool = False) -> Iterator[rows.Row]:
        """Give rows of results and alerts, without the ledger's notes; the order is that of the store."""
        for file, block, content in self.blocks(newest_first=newest_first):
            found = list(self._rows(file, block, content))
            yield from reversed(found) if newest_first else found

    def metrics(self, *, newest_first: bool = False) -> Iterator[rows.Row]:
        """Give rows of metrics."""
        for file, block, content in self.blocks(newest_first=newest_first):
            found = list(self._metrics(file, block, content))
            yield from reversed(found) if newest_first else found

    def blocks(self, *, newest_first: bool) -> Iterator[tuple[SegmentFile, Block, Content]]:
        """Give each block that may hold something wanted, unpacked."""
        for file in self._files(newest_first=newest_first):
            if (found := look(file)) is None:
                continue
            self.damaged += sum(last - first + 1 for first, last in found.holes)
            for block in reversed(found.blocks) if newest_first else found.blocks:
                self.seen += block.count
                if self.wanted.may_hold(block):
                    try:
                        yield file, block, unpack(block)
                    except MessageInvalid:
                        self.damaged += block.count

    def tables_of(self, file: SegmentFile, block: Block, content: Content) -> dict[str, list[rows.Row]]:
        """What a block adds to each table."""
        stream, epoch = file.name.stream, file.name.epoch
        own = self._metrics(file, block, content) if stream == "metric" else self._rows(file, block, content)
        ledger = (row for row in rows.ledger_rows(block, stream, epoch, content) if self.wanted.takes(row))
        noticed = self._events(file, block, content) if stream != "metric" else ()
        return {TABLES[stream]: list(own), "rule_events": list(noticed), "ledger": list(ledger)}

    def _rows(self, file: SegmentFile, block: Block, content: Content) -> Iterator[rows.Row]:
        stream, epoch = file.name.stream, file.name.epoch
        acked = self._acked.get((stream, epoch), 0)
        for seq, record in enumerate(content.records, block.first):
            if record.get("kind") != "ledger" and self.wanted.takes(record):
                yield rows.result_row(record, (stream, epoch, seq), acked, content, self.columns)

    def _events(self, file: SegmentFile, block: Block, content: Content) -> Iterator[rows.Row]:
        for seq, record in enumerate(content.records, block.first):
            if self.wanted.takes(record):
                yield from rows.event_rows(record, (file.name.stream, file.name.epoch, seq), content)

    def _metrics(self, file: SegmentFile, block: Block, content: Content) -> Iterator[rows.Row]:
        for seq, record in enumerate(content.records, block.first):
            place = (file.name.stream, file.name.epoch, seq)
            found = rows.metric_rows(record, place, content)
            yield from (row for row in found if self.wanted.takes(row))

    def _files(self, *, newest_first: bool) -> list[SegmentFile]:
        """The segments of the wanted streams, in the order in which their epochs began."""
        files = [one for one in segment_files(self.folder) if one.name.stream in self.wanted.streams]
        state = look_at_state(self.folder)
        order = {(row.stream, row.epoch): n for n, row in enumerate(state.epochs)}
        self._acked = {(row.stream, row.epoch): row.acked for row in state.epochs}
        files.sort(key=lambda one: order.get((one.name.stream, one.name.epoch), len(order)))
        return files[::-1] if newest_first else files
