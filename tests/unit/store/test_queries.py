"""SQL from anybody, held to reading."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.errors import InputRejected
from agent.store.queries import answer, guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE results (n, items)")
        opened.executemany("INSERT INTO results VALUES (?, ?)", [(n, '[{"label":"a"}]') for n in range(5)])
        guard(opened)
        yield opened


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT count(*) FROM results", [(5,)]),
        ("SELECT items->>'$[0].label' AS label FROM results LIMIT 1", [("a",)]),
        ("WITH RECURSIVE c(x) AS (VALUES (1) UNION SELECT 2 FROM c) SELECT x FROM c", [(1,), (2,)]),
        ("SELECT n, sum(n) OVER (ORDER BY n) FROM results WHERE n < 2", [(0, 0), (1, 1)]),
        ("VALUES (7)", [(7,)]),
        ("PRAGMA table_info(results)", [(0, "n", "", 0, None, 0), (1, "items", "", 0, None, 0)]),
    ],
)  # fmt: skip
def test_whatever_reads_is_answered(db: sqlite3.Connection, sql: str, rows: list[tuple[object, ...]]) -> None:
    columns, found = answer(db, sql)
    assert list(found) == rows
    assert len(columns) == len(rows[0])


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM results",
        "UPDATE results SET n = 1",
        "DROP TABLE results",
        "CREATE TABLE x (y)",
        "PRAGMA journal_mode",
        "PRAGMA writable_schema = 1",
        "BEGIN",
        "VACUUM",
    ],
)
def test_what_would_write_is_refused_with_the_tables(db: sqlite3.Connection, sql: str) -> None:
    with pytest.raises(InputRejected, match="results"):
        answer(db, sql)
    assert list(answer(db, "SELECT count(*) FROM results")[1]) == [(5,)]


def test_a_query_that_thinks_for_ever_ends_with_a_signal(db: sqlite3.Connection) -> None:
    endless = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT "
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        answer(db, f"{endless} count(*) FROM c")
    timer.join()
    _, rows = answer(db, f"{endless} x FROM c WHERE x < 3")
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(rows)
    timer.join()


def test_each_column_has_a_name_of_its_own(db: sqlite3.Connection) -> None:
    columns, rows = answer(db, "SELECT 1 AS a, 2 AS a, 3 AS [a:1], 4 AS b, 5 AS a")
    assert columns == ("a", "a:1", "a:1:1", "b", "a:2")
    assert list(rows) == [(1, 2, 3, 4, 5)]


def test_no_file_is_made_or_opened(db: sqlite3.Connection, tmp_path: Path) -> None:
    for sql in (f"ATTACH '{tmp_path}/x.db' AS x", f"VACUUM INTO '{tmp_path}/x.db'"):
        with pytest.raises(InputRejected, match="more than read"):
            answer(db, sql)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql", ["selec", "SELECT nosuch FROM results", "SELECT 1; SELECT 2", "", "-- nothing"]
)
def test_a_mistake_is_one_line_with_what_to_do(db: sqlite3.Connection, sql: str) -> None:
    with pytest.raises(InputRejected) as caught:
        answer(db, sql)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_mistake_that_shows_only_under_way_is_worded_too(db: sqlite3.Connection) -> None:
    _, rows = answer(db, "SELECT abs(-9223372036854775807 - n) FROM results")
    with pytest.raises(InputRejected, match="integer overflow"):
        list(rows)
