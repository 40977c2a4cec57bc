"""Rows of a recording: CSV with a header, or one JSON object a line. Nobody vouches for either."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.sources.sampling.recording import Chunks

MAX_LINE = 1 << 16
MAX_CHANNELS = 256
_CHUNK = 64
_EXPONENTS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
_MOST_NS = 1 << 61

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which values of a row are meant.

    Attributes:
        time: the key of its time; "" where rows are ``interval_ns`` apart.
        unit: of the time: s, ms, us, ns or iso.
        channels: the keys of the samples; empty: whatever the first row has numbers for.
        interval_ns: from one row to the next, without a time.
    """

    time: str
    unit: str
    channels: tuple[str, ...]
    interval_ns: float


def csv_parser(header: bytes, delimiter: str) -> Callable[[bytes], Record]:
    """Give what reads a line of a CSV file with this header.

    Raises:
        ValueError: the header is no row of different names.
    """
    names = [name.strip() for name in _cells(header.removeprefix(b"\xef\xbb\xbf"), delimiter)]
    if len(set(names)) != len(names) or not all(names):
        raise ValueError("its first line is no row of different names")

    def parse(line: bytes) -> Record:
        cells = _cells(line, delimiter)
        if len(cells) != len(names):
            raise ValueError(f"it has {len(cells)} values, and the header {len(names)}")
        return dict(zip(names, cells, strict=True))

    return parse


def json_parser(line: bytes) -> Record:
    """Read a line of NDJSON.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        record = json.loads(line)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deep") from error
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - of a line, not of a caller
    return record


def channels_of(record: Mapping[str, Any], columns: Columns, path: str) -> tuple[str, ...]:
    """Say which keys the samples have, as the first row tells.

    Raises:
        InputRejected: a key is missing, or there is none that holds a number.
    """
    wanted = columns.channels or tuple(
        key for key in record if key != columns.time and _is_number(record[key])
    )
    missing = [key for key in (columns.time, *wanted) if key and key not in record]
    held = ", ".join(list(record)[:20])
    if missing:
        raise InputRejected("open samples", path, f"it has no column {missing[0]}", f"It has: {held}"[:300])
    if not wanted or len(wanted) > MAX_CHANNELS:
        problem = f"{len(wanted)} columns hold numbers" if wanted else "no column holds a number"
        raise InputRejected("open samples", path, problem, "Name them with channels")
    return wanted


def read_rows(file: BinaryIO, parse: Callable[[bytes], Record], columns: Columns, first: int) -> Chunks:
    """Give the samples of an open file.

    Args:
        file: from the first row of samples on.
        parse: reads a line.
        columns: with the channels.
        first: the number of that line, from 1.
    """
    times: list[int] = []
    values: list[list[float]] = []
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), first):
        if not line.strip():
            continue
        try:
            if len(line) == MAX_LINE:
                raise ValueError(f"it is longer than {MAX_LINE} bytes")  # noqa: TRY301 - as other bad lines
            record = parse(line)
            at = _time(record, columns, number - first)
            sample = [_number(record, key) for key in columns.channels]
        except ValueError as error:
            if times:
                yield np.array(times, np.int64), np.array(values, np.float64)
            times, values = [], []
            yield f"line {number}: {error}"
            continue
        times.append(at)
        values.append(sample)
        if len(times) == _CHUNK:
            yield np.array(times, np.int64), np.array(values, np.float64)
            times, values = [], []
    if times:
        yield np.array(times, np.int64), np.array(values, np.float64)


def _cells(line: bytes, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.decode().rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool)


def _number(record: Mapping[str, Any], key: str) -> float:
    if key not in record:
        raise ValueError(f"it has no {key}")
    if not _is_number(record[key]):
        raise ValueError(f"{key} is no number: {str(record[key])[:40]!r}")
    return float(record[key])


def _time(record: Mapping[str, Any], columns: Columns, row: int) -> int:
    """Give a row's time, nanoseconds."""
    if not columns.time:
        return round(row * columns.interval_ns)
    told = str(record.get(columns.time, "")).strip()
    try:
        if columns.unit == "iso":
            return _iso(told)
        number = Decimal(told)
        if not number.is_finite() or number.adjusted() > 18 or abs(number.scaleb(9)) >= 1 << 90:
            raise ValueError(f"{columns.time} is out of range: {told[:40]!r}")
        at = int(number.scaleb(_EXPONENTS[columns.unit]).to_integral_value())
    except InvalidOperation as error:
        raise ValueError(f"{columns.time} is no time: {told[:40]!r}") from error
    if abs(at) > _MOST_NS:
        raise ValueError(f"{columns.time} is out of range: {told[:40]!r}")
    return at


def _iso(told: str) -> int:
    """Read a date; without a zone it is UTC."""
    when = datetime.fromisoformat(told)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    since = when - datetime.fromtimestamp(0, UTC)
    return ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
