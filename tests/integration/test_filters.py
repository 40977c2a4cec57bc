"""Filters in real workers: they make events of results, and what they hold back is in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agent.config.pipelines import Plugin
from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.schedules import DAYS
from agent.workers.spec import LaneSpec
from tests import runtimes

if TYPE_CHECKING:
    from agent.ledger import Ledger
    from agent.workers.record import Record

FRAMES = 240
LINE = {"name": "middle", "points": [[0.0, 0.5], [1.0, 0.5]]}


def run(*filters: dict[str, Any]) -> tuple[list[Record], Ledger]:
    """Run a worker over four scenes of shapes; give its records and its ledger."""
    spec = LaneSpec(
        pipeline="yard",
        model="shapes",
        backend_options={"runtime": runtimes.CHOSEN},
        source="synthetic",
        source_options={"scene": "shapes", "width": 320, "height": 240, "fps": 0, "frames": FRAMES},
        filters=tuple(Plugin.model_validate(one) for one in filters),
        once=True,
    )
    lane = Foreground(spec, Deadlines())
    records = [record for some in lane.run() for record in some]
    return records, lane.outcome.ledger


def test_a_line_is_crossed_and_what_says_nothing_new_is_held_back_and_counted() -> None:
    records, ledger = run(
        {"kind": "track", "tracked_only": True},
        {"kind": "lines", "lines": [LINE], "at": "centre"},
        {"kind": "change"},
    )
    crossings = [event for record in records for event in record.events]
    assert {event["event"] for event in crossings} == {"line.crossed"}
    assert crossings[-1]["counts"]["in"] + crossings[-1]["counts"]["out"] == len(crossings)
    assert all("track" in item for record in records for item in record.items)
    assert 0 < len(records) < FRAMES / 2
    assert ledger.filtered == {"change": FRAMES - len(records)}
    assert (ledger.captured, ledger.inferred) == (FRAMES, len(records))
    assert ledger.balanced


def test_a_schedule_finds_its_time_zone_in_a_confined_worker() -> None:
    always = {"kind": "schedule", "zone": "Europe/Berlin", "windows": [{}]}
    another_day = DAYS[(datetime.now(UTC).weekday() + 3) % 7]
    assert len(run(always)[0]) == FRAMES
    records, ledger = run({**always, "windows": [{"days": [another_day]}], "unset": "closed"})
    assert records == []
    assert ledger.filtered == {"schedule": FRAMES}
    assert ledger.balanced
