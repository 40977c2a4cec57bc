"""What the agent records of itself while it runs: metrics, alerts and latencies; rule [record-5]."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, get_args

from agent.blocks import unpack
from agent.histogram import Histogram
from agent.metrics import AGENT, PIPELINE
from agent.store.segment import Segment
from agent.workers.messages import Stage
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

ONLY_SOMETIMES = {
    "frames_dropped_total",
    "frames_failed_total",
    "frames_filtered_total",
    "temperature_celsius",
    "clock_synced",
    "deliver_seconds",
    "link_online",
    "batches_sent_total",
    "batches_resent_total",
    "batches_in_flight",
    "sent_bytes_total",
    "frames_per_second_limit",
    "joules_per_1000_inferences",
    "memory_available_bytes",
    "memory_pressure_ratio",
    "power_watts",
}
ONLY_SOMETIMES |= {name for name in PIPELINE if name.startswith(("model_", "results_", "policy_"))}
ONLY_SOMETIMES |= {name for name in AGENT if name.startswith("accelerator_")}
"""Those that this machine, or an agent without a broker, may not have."""


def stored(data: Path, stream: str) -> list[dict[str, Any]]:
    records: list[tuple[int, list[dict[str, Any]]]] = []
    for path in (data / "segments").glob(f"{stream}-*.db"):
        with closing(Segment.create(path)) as segment:
            records += [(block.first, unpack(block).records) for block in segment.read(1, 1 << 30)]
    return [record for _, part in sorted(records, key=lambda one: one[0]) for record in part]


def test_metrics_and_alerts_are_stored_with_their_times(tmp_path: Path) -> None:
    began_ns, began_wall_ns = time.monotonic_ns(), time.time_ns()
    with RunningAgent(tmp_path, more="[metrics]\ninterval_s = 0.5\n") as agent:
        agent.until_inferred(30)
        os.kill(agent.worker, signal.SIGKILL)
        agent.until(lambda pipeline: pipeline["restarts"] == 1 and pipeline["state"] == "running")
        agent.until_inferred(100)
        assert agent.end() == 0

    alerts = stored(agent.data, "alert")
    died = [alert for alert in alerts if alert["event"] == "lane.died"]
    assert [(one["kind"], one["level"], one["subject"]) for one in died] == [("event", "warning", "door")]
    assert "SIGKILL" in died[0]["items"][0]["problem"]
    assert began_ns < died[0]["captured_ns"] < time.monotonic_ns()
    assert began_wall_ns < died[0]["wall_ns"] < time.time_ns()

    metrics = stored(agent.data, "metric")
    names: dict[str | None, set[str]] = {}
    for record in metrics:
        assert record["kind"] == "metrics"
        assert began_wall_ns < record["wall_ns"] < time.time_ns()
        names.setdefault(record.get("pipeline"), set()).update(
            item["name"].partition("{")[0] for item in record["items"]
        )
    assert {*PIPELINE} - ONLY_SOMETIMES <= names["door"] <= {*PIPELINE}
    assert {*AGENT} - ONLY_SOMETIMES <= names[None] <= {*AGENT}

    inferred = Histogram()
    last: dict[str, Any] = {}
    for record in metrics:
        if record.get("pipeline") == "door":
            last = {item["name"]: item for item in record["items"]}
            if "infer_seconds" in last:
                inferred.merge(Histogram.from_json(last["infer_seconds"]))
    assert last["worker_restarts_total"]["value"] == 1
    # The last second is not told yet when the last record is made; the dead worker's last word is lost.
    assert 0.3 * last["frames_inferred_total"]["value"] < inferred.count
    assert inferred.count <= last["frames_inferred_total"]["value"]


def test_a_stop_does_not_wait_for_the_commit_of_metrics_and_loses_none(tmp_path: Path) -> None:
    with RunningAgent(tmp_path, more="[metrics]\ninterval_s = 0.5\n") as agent:
        agent.until(lambda _: agent.status()["store"]["streams"]["metric"]["accepted"] >= 4)
        accepted = agent.status()["store"]["streams"]["metric"]["accepted"]
        asked = time.monotonic()
        assert agent.end() == 0
    assert time.monotonic() - asked < 4.0
    assert len(stored(agent.data, "metric")) >= accepted


def test_without_an_interval_there_are_no_metrics(tmp_path: Path) -> None:
    with RunningAgent(tmp_path, more="[metrics]\ninterval_s = 0\n") as agent:
        agent.until_inferred(60)
        assert agent.end() == 0
    assert stored(agent.data, "metric") == []
    assert len(stored(agent.data, "result")) >= 60


def test_status_tells_the_percentiles_of_each_stage_on_eighty_columns(tmp_path: Path) -> None:
    with RunningAgent(tmp_path) as agent:
        pipeline = agent.until(lambda pipeline: {*pipeline["latency"]} == {*get_args(Stage)})
        status = agent.status()
        command = [*PROGRAM, "status", "--config", str(agent.config)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert agent.end() == 0
    for spans in (*pipeline["latency"].values(), status["latency"]["result"]["commit"]):
        assert 0 <= spans["p50"] <= spans["p95"] <= spans["p99"] <= spans["p999"]
    assert pipeline["latency"]["infer"]["p50"] > 0
    assert pipeline["latency"]["total"]["p50"] >= pipeline["latency"]["infer"]["p50"]
    head = next(at for at, line in enumerate(shown) if line.startswith("    ms "))
    assert [line.split()[0] for line in shown[head : head + 5]] == ["ms", "p50", "p95", "p99", "p99.9"]
    assert max(map(len, shown[head : head + 5])) <= 80


def test_an_alert_of_a_store_that_fails_is_not_answered_by_another(tmp_path: Path) -> None:
    code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
    code += (
        "sys.argv = ['edge-agent', *sys.argv[1:]]; runpy.run_module('agent.cli.main', run_name='__main__')"
    )
    with Starved(tmp_path, code) as agent:
        agent.until(lambda _: agent.status()["events"].get("store.failed", 0) >= 3)
        agent.until_inferred(50)
        assert agent.status()["store"]["streams"]["alert"]["accepted"] <= 3
        agent.end()


class Starved(RunningAgent):
    """An agent that may not write large files: its disk refuses after a while."""

    def __init__(self, folder: Path, code: str) -> None:
        super().__init__(folder, more="[metrics]\ninterval_s = 0\n")
        self.program = [sys.executable, "-c", code]
