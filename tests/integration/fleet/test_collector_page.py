"""The page about the collector: its SQL runs on both databases, and it names every table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.fleet.databases import open_warehouse, reading

PAGE = (Path(__file__).parents[3] / "docs/collector.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?);\n```", PAGE, re.DOTALL)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_each_example_runs_on_both_databases(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'fleet.db'}"
    url: str = sqlite if kind == "sqlite" else request.getfixturevalue("postgresql").url()
    open_warehouse(url).close()
    with reading(url) as db:
        for example in EXAMPLES:
            db.execute(example).fetchall()
    assert len(EXAMPLES) == 7


def test_every_table_and_view_stands_on_the_page(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    open_warehouse(url).close()
    with reading(url) as db:
        query = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        names = [name for (name,) in db.execute(query)]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
