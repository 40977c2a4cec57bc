"""What is measured, and that the documentation says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from agent.governor.readings import temperatures
from agent.histogram import Histogram
from agent.ledger import Ledger
from agent.metrics import AGENT, PIPELINE, number, record, spread
from agent.supervision.telemetry import frames_of
from agent.workers.messages import Stage

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def documented(heading: str) -> dict[str, str]:
    text = re.split(r"^## ", DOCS.read_text(), flags=re.MULTILINE)
    [section] = [part for part in text if part.startswith(f"{heading}\n")]
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE))


@pytest.mark.parametrize(("heading", "known"), [("Of each pipeline", PIPELINE), ("Of the agent", AGENT)])
def test_every_metric_is_documented_with_its_type(heading: str, known: dict[str, str]) -> None:
    assert documented(heading) == known


def test_each_account_of_a_ledger_is_told_and_those_with_reasons_for_each() -> None:
    ledger = Ledger(
        captured=9, inferred=3, filtered={"change": 2, "debounce": 1}, gated=1, failed={"decode": 2}
    )
    told = {one["name"]: one["value"] for one in frames_of(ledger)}
    assert told == {
        "frames_captured_total": 9,
        "frames_inferred_total": 3,
        'frames_filtered_total{filter="change"}': 2,
        'frames_filtered_total{filter="debounce"}': 1,
        "frames_gated_total": 1,
        'frames_failed_total{reason="decode"}': 2,
        "frames_lost_total": 0,
        "frames_in_flight": 0,
    }
    assert {name.partition("{")[0] for name in told} < PIPELINE.keys()


def test_every_stage_has_a_histogram_and_is_documented() -> None:
    stages = get_args(Stage)
    assert {f"{stage}_seconds" for stage in stages} == {
        name for name, kind in PIPELINE.items() if kind == "histogram"
    }
    text = DOCS.read_text().partition("## Stages")[2]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(stages)


@pytest.mark.parametrize("name", [*PIPELINE, *AGENT])
def test_a_name_ends_as_prometheus_wants_it(name: str) -> None:
    kind = (PIPELINE | AGENT)[name]
    assert name.endswith("_total") == (kind == "counter")
    assert kind != "histogram" or name.endswith("_seconds")


def test_labels_stand_in_the_name_and_cannot_break_out_of_it() -> None:
    said = number("frames_failed_total", 3, reason='a"b\\c\nd')
    assert said == {
        "name": 'frames_failed_total{reason="a\\"b\\\\c\\nd"}',
        "type": "counter",
        "value": 3,
    }


def test_what_is_not_in_the_list_cannot_be_recorded() -> None:
    with pytest.raises(KeyError):
        number("frames_guessed_total", 1)


def test_a_histogram_carries_its_buckets() -> None:
    histogram = Histogram()
    histogram.add(5_000_000)
    said = spread("infer_seconds", histogram)
    assert said["type"] == "histogram"
    assert Histogram.from_json(said).to_json() == histogram.to_json()


def test_the_agents_own_record_names_no_pipeline() -> None:
    assert record(None, 2.0, []) == {"kind": "metrics", "captured_ns": 2_000_000_000, "items": []}
    assert record("door", 2.0, [])["pipeline"] == "door"


def test_a_thermal_zone_that_sleeps_is_left_out(tmp_path: Path) -> None:
    for number_, kind, degrees in [(0, "cpu-thermal", "47123"), (1, "wifi", ""), (2, "gpu", "-5000")]:
        zone = tmp_path / f"thermal_zone{number_}"
        zone.mkdir()
        (zone / "type").write_text(kind + "\n")
        (zone / "temp").write_text(degrees)
    assert dict(temperatures(tmp_path)) == {"0:cpu-thermal": 47.123, "2:gpu": -5.0}
    assert list(temperatures(tmp_path / "absent")) == []
