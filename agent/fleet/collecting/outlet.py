"""Records for a pipe, one JSON object a line: as they are, or as CloudEvents 1.0.

They are written when they are stored and before they are rows: after a crash the last ones come again, and
none is left out. Readers tell them apart by device, stream, epoch and seq.
"""

from __future__ import annotations

import os
import select
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from agent.errors import AgentError, MessageInvalid, StoreBusy
from agent.fleet.collecting.contents import contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.blocks import Block
    from agent.fleet.collecting.ranges import Place

Form = Literal["ndjson", "cloudevents"]

NOTE = "ledger"
"""Records of this kind only say that a ledger changed: they stay inside."""
_LAST_YEAR = 253_402_300_800
"""Seconds since 1970 at the end of the year 9999, where RFC 3339 ends."""
_LOOK_MS = 100
_PATIENCE_S = 1.0
"""So long, in all, a reader may keep us waiting after a stop."""
_MOST_KNOWN = 4096
"""Blocks; more than become rows in one transaction, which may fail after they were written."""


def _never() -> bool:
    return False


class Outlet:
    """Writes the records of blocks, each block once in its lifetime.

    Args:
        form: of the lines.
        fleet: whose devices they are.
        descriptor: where to write; a reader that is slow makes ``write`` wait.
        stopping: whether the program is to end.
    """

    def __init__(
        self, form: Form, fleet: str, descriptor: int = 1, stopping: Callable[[], bool] = _never
    ) -> None:
        self._said = _events if form == "cloudevents" else _plain
        self._fleet = fleet
        self._descriptor = descriptor
        self._stopping = stopping
        self._patience_s = _PATIENCE_S
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._written: dict[tuple[Place, int, int], None] = {}

    def write(self, blocks: Iterable[tuple[Place, Block]]) -> None:
        """Write the records of blocks that were not written yet; one that does not unpack has none.

        Raises:
            StoreBusy: the program is to end, and the reader takes nothing.
            AgentError: the reader left, or the file cannot be written.
        """
        for place, block in blocks:
            known = (place, block.first, block.count)
            if known in self._written:
                continue
            for piece in _pieces(self._lines(place, block)):
                self._push(piece)
            self._written[known] = None
            if len(self._written) > _MOST_KNOWN:
                del self._written[next(iter(self._written))]

    def _lines(self, place: Place, block: Block) -> Iterator[bytes]:
        try:
            content = contents(block, place[1])
        except MessageInvalid:
            return  # it is counted when it becomes no rows
        synced = content.clock["synced"]
        for seq, record in enumerate(content.records, block.first):
            if record.get("kind") != NOTE:
                for line in self._said(self._fleet, place, seq, record, synced):
                    yield orjson.dumps(line) + b"\n"

    def _push(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest:
                self._wait()
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        except OSError as error:
            problem = "its reader left" if isinstance(error, BrokenPipeError) else str(error.strerror)
            hint = "Nothing is lost: start both again, and the last lines come again"
            raise AgentError("write", "standard output", problem, hint) from error

    def _wait(self) -> None:
        """Wait until the reader takes more. A call of write that blocks would not see a stop."""
        ready = False
        while not ready:
            began = time.monotonic()
            ready = bool(self._poll.poll(_LOOK_MS))
            if not self._stopping():
                continue
            self._patience_s -= time.monotonic() - began
            if self._patience_s < 0:
                hint = "Nothing is lost: the rest comes at the next start"
                raise StoreBusy("write", "standard output", "its reader is slow, and this is the end", hint)


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that a pipe takes whole or not at all; only a line that is longer stands alone."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    yield piece


def _plain(
    _fleet: str, place: Place, seq: int, record: dict[str, Any], synced: object
) -> Iterator[dict[str, Any]]:
    device, stream, epoch = place
    names = {"device": device, "stream": stream, "epoch": epoch, "seq": seq}
    yield {**names, "synced": synced, "record": record}


def _events(
    fleet: str, place: Place, seq: int, record: dict[str, Any], synced: object
) -> Iterator[dict[str, Any]]:
    """The CloudEvent of a record, and one of each event that a filter noticed in it.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    """
    kind = record.get("kind")
    name = f"{'/'.join(place)}/{seq}"
    what = f"edge-agent.{kind if isinstance(kind, str) and kind else 'record'}"
    common = _attributes(fleet, place, record, synced)
    yield {**common, "id": name, "type": what, "data": record}
    noticed = record.get("events")
    for at, one in enumerate(noticed if isinstance(noticed, list) else ()):
        if isinstance(one, dict) and isinstance(event := one.get("event"), str) and event:
            data = {"frame": record.get("frame"), **one}
            yield {**common, "id": f"{name}/{at}", "type": f"edge-agent.rule.{event}", "data": data}


def _attributes(fleet: str, place: Place, record: dict[str, Any], synced: object) -> dict[str, Any]:
    """What all CloudEvents of one record say."""
    pipeline, wall_ns = record.get("pipeline"), record.get("wall_ns")
    found: dict[str, Any] = {
        "specversion": "1.0",
        "source": f"edge/v1/{fleet}/d/{place[0]}",
        "datacontenttype": "application/json",
    }
    if isinstance(pipeline, str) and pipeline:
        found["subject"] = pipeline
    if isinstance(wall_ns, int) and 0 <= wall_ns < _LAST_YEAR * 10**9:
        seconds, rest = divmod(wall_ns, 10**9)
        found["time"] = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
    if isinstance(synced, bool):
        found["synced"] = synced
    return found
