"""Recorded samples, from a CSV or NDJSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from agent.errors import InputRejected
from agent.sources._files import check_file
from agent.sources._pace import Pace
from agent.sources.sampling.cutting import Resampling
from agent.types import Needs

if TYPE_CHECKING:
    from agent.sources.sampling.recording import Recording

OP = "open samples"
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
Key = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Options(Resampling):
    """Which recording, and what of it."""

    path: str = Field(min_length=1)
    """The file."""
    format: Literal["auto", "csv", "ndjson"] = "auto"
    """`csv`: a header and rows; `ndjson`: a JSON object on each line; `auto`: by the file's name."""
    delimiter: Literal["comma", "semicolon", "tab"] = "comma"
    """What stands between the values of a CSV file."""
    time: str = Field(default="", max_length=200)
    """The column with the time of a sample; empty: samples are 1/`rate` apart."""
    time_unit: Literal["s", "ms", "us", "ns", "iso"] = "s"
    """What the time counts, or `iso` for dates such as 2026-01-31T12:00:00Z."""
    channels: tuple[Key, ...] = Field(default=(), max_length=256)
    """The columns of a sample, in this order; empty: all others whose first value is a number."""
    realtime: bool = False
    """Keep the pace of the windows and lose what is not read in time, as a sensor would."""


def needs(options: Options) -> Needs:
    """Say what it reads: the file."""
    return Needs(read=(options.path,))


def build(options: Options, *, start: int) -> Recording:
    """Open the file; the first window given is number ``start``.

    Raises:
        InputRejected: there is no such file, its beginning cannot be read, or it lacks a column.
    """
    from agent.sources.sampling import rows
    from agent.sources.sampling.recording import Recording
    from agent.sources.sampling.windows import Windows

    check_file(OP, options.path)
    is_csv = options.format == "csv" or (options.format == "auto" and options.path.endswith(".csv"))
    columns = rows.Columns(options.time, options.time_unit, options.channels, 1e9 / options.rate)
    file = Path(options.path).open("rb")  # noqa: SIM115 - the source closes it
    try:
        parse = (
            rows.csv_parser(file.readline(rows.MAX_LINE), _DELIMITERS[options.delimiter])
            if is_csv
            else rows.json_parser
        )
        begins = file.tell()
        keys = rows.channels_of(parse(file.readline(rows.MAX_LINE)), columns, options.path)
        file.seek(begins)
        columns = rows.Columns(columns.time, columns.unit, keys, columns.interval_ns)
        windows = Windows(options, options.rate, len(keys))
    except InputRejected:
        file.close()
        raise
    except ValueError as error:
        file.close()
        hint = "Set format and delimiter, and see that the file begins with a sound row"
        raise InputRejected(OP, options.path, f"its beginning cannot be read: {error}", hint) from error
    pace = Pace(options.step / options.rate if options.realtime else 0.0)
    chunks = rows.read_rows(file, parse, columns, 2 if is_csv else 1)
    return Recording(options.path, file, chunks, windows, pace=pace, live=options.realtime, start=start)
