"""Which database a URL names, and how to open it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid, ExtraMissing
from agent.fleet.collecting.tables import FORMAT
from agent.fleet.collecting.warehouse import Warehouse
from agent.sqlite import check, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from agent.fleet.collecting.sql import Sql
    from agent.fleet.collecting.storage import Storage

_SQLITE = "sqlite:///"
_HINT = "Use sqlite:///FILE or postgresql://USER@HOST/NAME"
_POSTGRES = ("postgresql://", "postgres://")


def database_of(to: str) -> Path | None:
    """Give the path that a URL such as sqlite:///fleet.db names; None when it is one of PostgreSQL.

    Raises:
        ConfigInvalid: it is another kind of URL.
    """
    if not to.isprintable():
        raise ConfigInvalid("collect", repr(to.partition("@")[2] or to), "this is no text", _HINT)
    if to.startswith(_POSTGRES):
        return None
    path = to.removeprefix(_SQLITE)
    if not to.startswith(_SQLITE) or not path:
        raise ConfigInvalid("open", f"database {to.partition('@')[2] or to}", "it is no URL", _HINT)
    return Path(path)


def shown(to: str) -> str:
    """Give the URL as people may see it, without a password.

    Raises:
        ConfigInvalid: it is no URL of a database.
        ExtraMissing: PostgreSQL's library is not installed.
    """
    return to if database_of(to) else str(_postgres().shown(to))


def open_warehouse(to: str) -> Storage:
    """Open what a URL names, for the collector.

    Raises:
        ConfigInvalid: it is no URL of a database.
        ExtraMissing: PostgreSQL's library is not installed.
        StoreBusy: it cannot be opened for now.
        FolderUnusable: it is damaged, or of another version.
    """
    if path := database_of(to):
        return Warehouse(path)
    warehouse: Storage = _postgres().PostgresWarehouse(to)
    return warehouse


@contextmanager
def reading(to: str) -> Iterator[Sql]:
    """Open what a URL names, to look into it.

    Raises:
        ConfigInvalid, ExtraMissing, StoreBusy: as for ``open_warehouse``.
        AgentError: there is no such file, or it has another version.
    """
    path = database_of(to)
    if path is None:
        with closing(_postgres().Postgres(to, read_only=True)) as db, db.transaction("read"):
            _check(db.version(), db.shown)
            yield db
        return
    if not path.exists():
        raise AgentError("read", str(path), "there is no such database", "Give the collector's with --db")
    with (
        refusals("read", path, damaged=FORMAT.damaged),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file,
    ):
        check(file, path, FORMAT)
        yield file


def _check(version: int, subject: str) -> None:
    if version != FORMAT.version:
        problem = f"its format is version {version}, this release reads version {FORMAT.version}"
        raise AgentError("read", subject, problem, FORMAT.older if version < FORMAT.version else FORMAT.newer)


def _postgres() -> ModuleType:
    try:
        from agent.fleet.collecting import postgres
    except ModuleNotFoundError as error:
        hint = "In the checkout, run: pip install '.[fleet]'"
        raise ExtraMissing("open", "PostgreSQL", f"the package {error.name} is missing", hint) from error
    return postgres
