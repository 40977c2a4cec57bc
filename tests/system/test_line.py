"""The whole line as services: a device with keys, a broker, and the collector, each under its own unit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_confinement import ATTEMPTS
from tests.simulators import burglar
from tests.system.accounts import delivered
from tests.system.booted import COLLECTOR, DATA, UNIT
from tests.system.line import BROKER, LINE, collected, delivering, drained, lay

if TYPE_CHECKING:
    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SITE = "/opt/edge-agent/lib/python3.11/site-packages"
SCRATCH = "/var/lib/edge-agent/scratch"  # where the service itself may write
SECRETS = {
    "device key": "/run/credentials/edge-agent.service/device-key",
    "credentials": "/run/credentials/edge-agent.service",
    "state": "/var/lib/edge-agent/state.db",
    "segments": "/var/lib/edge-agent/segments",
    "configuration": "/etc/edge-agent/agent.toml",
    "rest of the machine": "/etc/passwd",
}


@pytest.fixture(scope="module")
def line(machine: Container) -> Container:
    """The machine with a broker, keys as the manual says, and the collector started."""
    lay(machine)
    return machine


def test_a_line_of_services_delivers_all_and_a_stop_drains_it_in_time(
    line: Container, tmp_path: Path
) -> None:
    line.start(LINE)
    status = delivering(line)
    assert status["link"]["signed"]
    assert "ok   keys: signs as " in line.agent("check")  # beside the service, whose credentials these are
    began = time.monotonic()
    assert line.run("systemctl", "stop", UNIT).returncode == 0
    took_s = time.monotonic() - began
    assert line.show("Result") == "success"
    assert took_s < 10  # what a drain may take, and the rest
    epoch = status["store"]["epoch"]
    found = delivered(line, tmp_path, {("result", epoch): status["store"]["committed"]})
    assert found.stored > status["store"]["acked"]


def test_a_broker_that_is_killed_and_forgets_all_costs_nothing(line: Container, tmp_path: Path) -> None:
    line.start(LINE)
    before = delivering(line)
    line.kill("KILL", int(line.show("MainPID", BROKER)))
    line.until(lambda: bool((now := line.status()) and now["link"]["state"] != "online"), "notice", 20)
    line.until(lambda: bool((now := line.status()) and now["store"]["backlog"] > 100), "keep", 20)
    assert line.run("systemctl", "start", BROKER).returncode == 0
    after = drained(line)
    assert after["store"]["epoch"] == before["store"]["epoch"]
    assert after["pipelines"][0]["balanced"]
    committed = {
        (stream, after["store"]["epoch"]): one["committed"]
        for stream, one in after["store"]["streams"].items()
    }
    assert delivered(line, tmp_path, committed).stored > after["store"]["acked"]


def test_the_collector_runs_as_its_unit_says_and_ends_with_its_service(line: Container) -> None:
    assert (line.show("ActiveState", COLLECTOR), line.show("NRestarts", COLLECTOR)) == ("active", "0")
    pid = line.show("MainPID", COLLECTOR)
    assert line.run("ps", "-o", "user=", "-p", pid).stdout.strip() == "edgectl"
    assert line.run("systemctl", "stop", COLLECTOR).returncode == 0
    assert (line.show("Result", COLLECTOR), line.show("ExecMainStatus", COLLECTOR)) == ("success", "0")
    assert line.run("systemctl", "start", COLLECTOR).returncode == 0


def test_bytes_to_the_disk_and_what_workers_use_are_counted_under_the_service(line: Container) -> None:
    """Metrics wait longest for a commit: those that a stop finds are delivered after the next start."""
    line.start(LINE)
    line.inferring()
    found: list[dict[str, Any]] = []

    def told() -> bool:
        found.append(line.status() or {"store": {"streams": {"metric": {"committed": 0}}}})
        return bool(found[-1]["store"]["streams"]["metric"]["committed"] > 3)

    line.until(told, "record metrics", 30)
    store = found[-1]["store"]
    line.run("systemctl", "restart", UNIT)
    query = "SELECT name, value FROM metrics WHERE epoch = ? ORDER BY seq"
    items: dict[str, float] = {}

    def stored() -> bool:
        items.update((name, value) for name, value in collected(line, query, store["epoch"]))
        return {"worker_rss_bytes", "worker_cpu_seconds_total", "rss_bytes"} <= items.keys()

    line.until(stored, "store metrics", 20)
    assert items["worker_rss_bytes"] > 10 << 20
    assert items["worker_cpu_seconds_total"] > 0
    assert items["rss_bytes"] > 10 << 20
    assert store["flash"]["written"] > 4096
    assert line.run("stat", "-f", "-c", "%T", DATA).stdout.strip() not in {"tmpfs", "overlayfs"}


def test_a_worker_of_the_service_reads_no_secret_signals_nobody_and_starts_nothing(line: Container) -> None:
    line.write(f"{SITE}/burglar.py", Path(burglar.__file__).read_text())
    line.write(f"{SITE}/burglar-1.dist-info/METADATA", burglar.METADATA)
    line.write(f"{SITE}/burglar-1.dist-info/entry_points.txt", burglar.ENTRY_POINTS)
    loot = ", ".join(f'"{what}" = "{path}"' for what, path in SECRETS.items())
    more = f'control = "/run/edge-agent/agent.sock", scratch = "{SCRATCH}"'
    source = f'{{ kind = "burglar", loot = {{ {loot} }}, {more} }}'
    lines = [part for part in LINE.splitlines() if not part.startswith("source")]
    line.start("\n".join([*lines, f"source = {source}", ""]))
    problems: list[str] = []

    def burgled() -> bool:
        status = line.status()
        problem = str(status["pipelines"][0]["problem"]) if status else ""
        problems.append(problem)
        return "{" in problem

    line.until(burgled, "burgle", 30)
    there = [what for what, path in SECRETS.items() if line.run("test", "-e", path).returncode]
    line.run("systemctl", "stop", UNIT)
    assert there == [], "nothing to be had: it proves nothing"
    problem = problems[-1]
    found = json.loads(problem[problem.index("{") : problem.rindex("}") + 1])
    assert found.keys() == ATTEMPTS
    assert {name: told for name, told in found.items() if told == "done"} == {}
