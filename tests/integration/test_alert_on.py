"""Results that carry an event are alerts where the pipeline says so; its ledger still counts every frame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from tests.simulators.running_agent import CAMERA, RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("agent.filters.lines")
pytest.importorskip("agent.filters.track")

# Seven lines, so that one of them is crossed soon.
LINES = ", ".join(f'{{ name = "at-{at}", points = [[0.{at}, 0], [0.{at}, 1]] }}' for at in range(2, 9))


def test_results_with_an_event_are_alerts_and_the_ledger_counts_them_with_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(sql: str) -> list[dict[str, Any]]:
        assert main.run(["results", "--folder", str(agent.data), "--sql", sql]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    filters = f'filters = [{{ kind = "track" }}, {{ kind = "lines", lines = [{LINES}] }}]'
    rules = f'{CAMERA}\nalert_on = ["line.crossed"]\n{filters}'
    with RunningAgent(tmp_path, rules, model="shapes") as agent:
        agent.until_inferred(400)
        assert agent.end() == 0
    [crossed] = asked("SELECT count(*) AS n, min(stream) AS one, max(stream) AS other FROM rule_events")
    assert crossed["n"] > 0
    assert (crossed["one"], crossed["other"]) == ("alert", "alert")
    alerts = asked("SELECT frame, events FROM alerts WHERE kind = 'detection'")
    assert all(json.loads(one["events"]) for one in alerts)
    frames = [one["frame"] for one in (*alerts, *asked("SELECT frame FROM results"))]
    [ledger] = asked("SELECT max(inferred) AS inferred, count(DISTINCT stream) AS streams FROM ledger")
    assert len(frames) == len(set(frames)) == ledger["inferred"]
    assert ledger["streams"] == 1
