"""Which data folder a command looks into."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli import service
from agent.cli.settings import Loaded, default_data_folder

if TYPE_CHECKING:
    import argparse

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d{1,9})([smhdw])")


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declare the two ways to name a folder."""
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="the agent's configuration")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="the data folder, over the configuration's"
    )


def data_folder(arguments: argparse.Namespace) -> Path:
    """The folder that is named, else that of the agent whose configuration is named, else the service's.

    Raises:
        ConfigInvalid: the configuration is wrong.
    """
    if arguments.folder:
        return Path(arguments.folder)
    config = Path(arguments.config or service.CONFIG)
    service.look_as(config)
    if arguments.config or os.access(config, os.R_OK):
        return Loaded(config).data_folder
    return default_data_folder()


def moment(text: str) -> int:
    """Read a time: ISO 8601 ("2026-11-25", "2026-11-25T14:30"), or how long ago ("30m", "2h", "1d").

    Without a zone it is this machine's local time.

    Returns:
        Nanoseconds since 1970 UTC.

    Raises:
        ValueError: it is none.
    """
    if found := _SPAN.fullmatch(text.strip().lower()):
        then = datetime.now(UTC).timestamp() - int(found[1]) * _SPANS[found[2]]
    else:
        then = datetime.fromisoformat(text.strip()).timestamp()
    return int(then * 1e6) * 1000


def written(wall_ns: int | None) -> str:
    """A wall time as people read it: UTC, to the millisecond; "" for none, and for what no calendar has."""
    if wall_ns is None:
        return ""
    try:
        then = datetime.fromtimestamp(wall_ns // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{then:%Y-%m-%dT%H:%M:%S}.{wall_ns % 10**9 // 10**6:03d}Z"
