"""edge-agent results: answers from the device's own store, also while the agent runs."""

from __future__ import annotations

import itertools
import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.blocks import STREAMS
from agent.cli.device.folders import add_folder, data_folder
from agent.cli.querying.rows import MOST_RECORDS
from agent.cli.terminal.numbers import number
from agent.cli.terminal.printing import print_csv, print_json, print_table
from agent.cli.terminal.since import add_since
from agent.store.queries import answer
from agent.wording import events_in_words, in_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from agent.cli.querying.tables import Reader

HELP = "show what is in the store"
DESCRIPTION = """\
Shows results that are still on this device: the newest ones, all since a time, or whatever an SQL query asks.
It reads beside a running agent, holds up nothing and changes nothing. What the collector has acknowledged is
deleted with its segment, so much of the past may be gone from here."""
EPILOG = """\
The tables for --sql:
  results   time, synced, pipeline, kind, label, score, x, y, width, height,
            count, items, events, also, frame, ...
  alerts    the same columns, for pipelines of high priority and for events
  rule_events  what filters noticed, a row each: time, synced, pipeline,
            event, label, track, zone, line, body, frame, ...
  metrics   time, synced, pipeline, name, type, value, count, sum, p50, p95,
            p99, p999, max, ...
  ledger    time, synced, pipeline, captured, inferred, gated, dropped, failed,
            lost, in_flight, ...
`time` is UTC, as the device's clock stood; `synced` is 1 when the clock is known to have been right, 0 when
it was not, and empty when nobody knows. `items` is the whole result as JSON, `events` what filters noticed,
`also` what further models said.

examples:
  edge-agent results
  edge-agent results --since 2h --pipeline door
  edge-agent results --sql "SELECT label, count(*) FROM results GROUP BY label"
  edge-agent results --sql "SELECT items->>'$[0].label' FROM results"
  edge-agent results --sql "SELECT time, line, track FROM rule_events"
  edge-agent results --since 2026-11-25 --export csv > today.csv

A '?' behind a time: the clock was not known to be right.

exit codes: 0 done, 1 the store cannot be read or the query was refused, 2 usage"""

_SHOWN = 50
"""Rows of the list without ``--limit``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_folder(parser)
    parser.add_argument("--sql", metavar="Q", help="answer this SELECT; the tables stand below")
    add_since(parser)
    parser.add_argument("--pipeline", default="", metavar="NAME", help="only this pipeline")
    parser.add_argument(
        "--stream", choices=STREAMS, help="only this stream; the list shows 'result' without it"
    )
    parser.add_argument(
        "--limit",
        type=number(int, 1, 10_000_000),
        metavar="N",
        help=f"the newest N: {_SHOWN} in the list, {MOST_RECORDS} a stream for --sql, all for --export",
    )
    parser.add_argument("--export", choices=("csv", "ndjson"), help="for other programs, oldest first")
    parser.add_argument("--json", action="store_true", help="JSON lines, also on a terminal")


def main(arguments: argparse.Namespace) -> int:
    """Read and print."""
    from agent.cli.querying.tables import Reader, Wanted

    asks = arguments.sql is not None
    streams = (arguments.stream,) if arguments.stream else STREAMS if asks else ("result",)
    wanted = Wanted(streams, arguments.pipeline, arguments.since)
    reader = Reader(data_folder(arguments), wanted)
    total = _answer(reader, arguments) if asks else _list(reader, arguments)
    sys.stdout.flush()
    _remarks(reader, total, arguments)
    return 0


def _answer(reader: Reader, arguments: argparse.Namespace) -> int:
    from agent.cli.querying.query import Tables

    tables = Tables(reader, arguments.sql)
    with closing(tables):
        tables.fill(arguments.limit or MOST_RECORDS)
        columns, rows = answer(tables.db, arguments.sql)
        with closing(rows):
            return _printer(arguments)(columns, rows)


def _list(reader: Reader, arguments: argparse.Namespace) -> int:
    """Print the newest rows, or all of them for an export, oldest first."""
    read = reader.metrics if arguments.stream == "metric" else reader.results
    limit = arguments.limit or (None if arguments.export else _SHOWN)
    if limit is None:
        rows: Iterable[dict[str, Any]] = read()
    else:
        rows = reversed(list(itertools.islice(read(newest_first=True), limit)))
    rows = iter(rows)
    if (first := next(rows, None)) is None:
        return 0
    rows = itertools.chain([first], rows)
    if _for_people(arguments):
        names = _WORDS if arguments.stream != "metric" else _METRIC_WORDS
        return print_table(tuple(names), ([tell(row) for tell in names.values()] for row in rows))
    if arguments.export != "csv":
        rows = ({key: _opened(key, value) for key, value in row.items()} for row in rows)
    return _printer(arguments)(tuple(first), (tuple(row.values()) for row in rows))


def _opened(key: str, value: Any) -> Any:
    """JSON inside JSON is JSON."""
    return json.loads(value) if key in {"items", "events", "also", "more"} and value else value


def _time(row: dict[str, Any]) -> str:
    """A question mark tells that the clock was not synchronised."""
    time: str = row["time"]
    return time.replace("T", " ").rstrip("Z") + ("?" if row["synced"] == 0 else "")


def _result(row: dict[str, Any]) -> str:
    items, events = (
        [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        for found in (json.loads(row[name] or "[]") for name in ("items", "events"))
    )
    return in_words(items) + events_in_words(events)


_WORDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "time (UTC)": _time,
    "pipeline": lambda row: row["pipeline"],
    "kind": lambda row: row["kind"],
    "result": _result,
}
_METRIC_WORDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "time (UTC)": _time,
    "pipeline": lambda row: row["pipeline"] or "-",
    "name": lambda row: row["name"],
    "value": lambda row: row["value"] if row["value"] is not None else row["count"],
    "p50": lambda row: row["p50"],
    "p99": lambda row: row["p99"],
}


def _printer(arguments: argparse.Namespace) -> Callable[[Sequence[str], Iterable[Sequence[Any]]], int]:
    if arguments.export == "csv":
        return print_csv
    return print_table if _for_people(arguments) else print_json


def _for_people(arguments: argparse.Namespace) -> bool:
    return not (arguments.json or arguments.export) and sys.stdout.isatty()


def _remarks(reader: Reader, total: int, arguments: argparse.Namespace) -> None:
    """What a reader of the rows must know; on standard error, so that it is in nobody's file."""
    remarks = []
    if reader.left_out:
        remarks.append(
            f"{reader.left_out} older records were not looked at. Take more with --limit, or --stream"
        )
    if reader.damaged:
        remarks.append(
            f"{reader.damaged} records are in damaged blocks. Look closer with: edge-agent store verify"
        )
    if not total and arguments.sql is None:
        remarks.append(f"nothing found in {reader.folder}")
    for remark in remarks:
        print(f"edge-agent: {remark}", file=sys.stderr)
