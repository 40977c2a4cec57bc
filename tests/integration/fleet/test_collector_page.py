"""The page about the collector: its SQL runs on both databases, and it names every table."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from agent.blocks import Block, Lease, pack
from agent.fleet.collecting.databases import open_warehouse, reading
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.missed import missed
from tests.simulators.clocks import ManualClock

PAGE = (Path(__file__).parents[3] / "docs/collector.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?);\n```", PAGE, re.DOTALL)
EXAMPLES = [block for block in BLOCKS if block.startswith("SELECT")]
[DELETING] = [block for block in BLOCKS if block.startswith("DELETE")]
DAY = int(datetime(2026, 8, 25, tzinfo=UTC).timestamp()) * 10**9
MINUTE = 60 * 10**9


def test_each_example_runs_on_both_databases(url: str) -> None:
    open_warehouse(url).close()
    with reading(url) as db:
        for example in EXAMPLES:
            db.execute(example).fetchall()
    assert len(EXAMPLES) == 8


def sent(first: int, last: int, *, low: int = 1) -> Incoming:
    """A batch with a record a minute, number 100 at the day of the example, and its ledger."""
    records = [{"kind": "detection", "wall_ns": DAY + (seq - 100) * MINUTE} for seq in range(first, last + 1)]
    ledger = {"gate": {"captured": last, "inferred": last}}
    blocks = (Block(first, len(records), pack(records, ledger)),)
    return Incoming("cam-1", Lease("0123456789abcdef", low, blocks, live=True))


def test_what_is_old_may_be_deleted_and_nothing_comes_again_or_seems_missed(url: str) -> None:
    with open_warehouse(url) as warehouse:
        warehouse._clock = clock = ManualClock()
        for batch in (sent(11, 60, low=11), sent(61, 90), sent(91, 130), sent(131, 200)):
            clock.wall = DAY + (batch.lease.last - 99) * MINUTE
            [before] = warehouse.store([batch])
            warehouse.unpack()
        for statement in DELETING.split(";"):
            warehouse._db.execute(statement)
        [again] = warehouse.store([sent(61, 90)])
        assert (again.new, again.watermark) == (0, before.watermark)
    with reading(url) as db:
        assert db.execute("SELECT min(seq), count(*) FROM records").fetchone() == (100, 101)
        assert [tuple(row) for row in db.execute("SELECT as_of_seq FROM ledger ORDER BY 1")] == [
            (90,),
            (130,),
            (200,),
        ]
        report = missed(db, "cam-1", DAY, DAY + 90 * MINUTE)
        assert (report.verdict, report.pipelines["gate"]["captured"]) == ("complete", 40)
        assert missed(db, "cam-1", 0, DAY).verdict == "incomplete"


def test_every_table_and_view_stands_on_the_page(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    open_warehouse(url).close()
    with reading(url) as db:
        query = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        names = [name for (name,) in db.execute(query)]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
