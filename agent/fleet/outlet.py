"""Records for a pipe, one JSON object a line: as they are, or as CloudEvents 1.0.

They are written before the transaction that makes rows of them is committed: after a crash the last ones come
again, and none is left out. Readers tell them apart by device, stream, epoch and seq.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.fleet.ranges import Place

Form = Literal["ndjson", "cloudevents"]

NOTE = "ledger"
"""Records of this kind only say that a ledger changed: they stay inside."""
_LAST_YEAR = 253_402_300_800
"""Seconds since 1970 at the end of the year 9999, where RFC 3339 ends."""


class Outlet:
    """Gathers lines, and writes them when told.

    Args:
        form: of the lines.
        fleet: whose devices they are.
        descriptor: where to write; a reader that is slow makes ``flush`` wait.
    """

    def __init__(self, form: Form, fleet: str, descriptor: int = 1) -> None:
        self._line = _event if form == "cloudevents" else _plain
        self._fleet = fleet
        self._descriptor = descriptor
        self._lines: list[bytes] = []

    def begin(self) -> None:
        """Forget what was gathered: the transaction that it was of may have failed."""
        self._lines.clear()

    def add(self, place: Place, first: int, records: Sequence[dict[str, Any]], synced: object) -> None:
        """Gather the records of a block."""
        for seq, record in enumerate(records, first):
            if record.get("kind") != NOTE:
                self._lines.append(orjson.dumps(self._line(self._fleet, place, seq, record, synced)))

    def flush(self) -> None:
        """Write what was gathered.

        Raises:
            AgentError: the reader left, or the file cannot be written.
        """
        if not self._lines:
            return
        rest = memoryview(b"\n".join((*self._lines, b"")))
        self._lines.clear()
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            problem = "its reader left" if isinstance(error, BrokenPipeError) else str(error.strerror)
            hint = "Nothing is lost: start both again, and the last lines come again"
            raise AgentError("write", "standard output", problem, hint) from error


def _plain(_fleet: str, place: Place, seq: int, record: dict[str, Any], synced: object) -> dict[str, Any]:
    device, stream, epoch = place
    names = {"device": device, "stream": stream, "epoch": epoch, "seq": seq}
    return {**names, "synced": synced, "record": record}


def _event(fleet: str, place: Place, seq: int, record: dict[str, Any], synced: object) -> dict[str, Any]:
    """One CloudEvent; https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md."""
    device, stream, epoch = place
    kind, pipeline, wall_ns = record.get("kind"), record.get("pipeline"), record.get("wall_ns")
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{device}/{stream}/{epoch}/{seq}",
        "source": f"edge/v1/{fleet}/d/{device}",
        "type": f"edge-agent.{kind if isinstance(kind, str) and kind else 'record'}",
        "datacontenttype": "application/json",
        "data": record,
    }
    if isinstance(pipeline, str) and pipeline:
        event["subject"] = pipeline
    if isinstance(wall_ns, int) and 0 <= wall_ns < _LAST_YEAR * 10**9:
        seconds, rest = divmod(wall_ns, 10**9)
        event["time"] = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
    if isinstance(synced, bool):
        event["synced"] = synced
    return event
