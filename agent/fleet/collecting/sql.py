"""What the collector's tables need of a database: the SQL that SQLite and PostgreSQL have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Answer(Protocol):
    """The rows of a query."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """All that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Sql(Protocol):
    """An open database, inside the caller's transaction; parameters stand as ``?``."""

    def execute(self, query: str, parameters: Sequence[Any] = (), /) -> Answer:
        """Run one statement."""

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row."""
