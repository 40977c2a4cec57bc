"""The collector's store in an SQLite file. ``postgres.py`` has the other one."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.errors import StoreBusy
from agent.fleet.collecting import tables
from agent.fleet.collecting.storage import Storage
from agent.sqlite import open_database, refusals, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.clock import Clock

_PATIENCE_S = 5.0
_PAUSE_S = 0.05
_CACHE_KIB = 16 << 10


class Warehouse(Storage):
    """An open SQLite file.

    Args:
        path: the file; made when it is not there.
        clock: dates when a device was seen.

    Raises:
        StoreBusy: it cannot be opened for now.
        FolderUnusable: the file is damaged, of another version, or not a warehouse.
    """

    _db: sqlite3.Connection

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._path = path
        self._clock = clock or SystemClock()
        self._db = _opened(path)
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with refusals("write", self._path, damaged=tables.FORMAT.damaged), transaction(self._db):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with refusals("read", self._path, damaged=tables.FORMAT.damaged):
            yield


def _opened(path: Path) -> sqlite3.Connection:
    """Open a file, and wait for another collector that makes it or brings it up at the same time."""
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            tables.upgrade(path)
            return open_database(path, tables.FORMAT, patience_s=_PATIENCE_S)
        except StoreBusy as error:
            # Some locks are taken at once or not at all, whatever patience SQLite has been given.
            code = getattr(error.__cause__, "sqlite_errorcode", 0)
            if code & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:  # SQLITE_BUSY_RECOVERY, too
                raise
        time.sleep(_PAUSE_S)
