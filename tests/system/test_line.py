"""The whole line as services: a device with keys, a broker, and the collector, each under its own unit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_confinement import ATTEMPTS
from tests.simulators import burglar
from tests.system.booted import COLLECTOR, CONFIG, DATA, UNIT

if TYPE_CHECKING:
    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

EDGECTL = "/opt/edge-agent/bin/edgectl"
SITE = "/opt/edge-agent/lib/python3.11/site-packages"
KEYS = "/etc/edgectl/keys"
LINE = f"""
[device]
id = "gate-1"
[mqtt]
host = "127.0.0.1"
port = 1883
fleet = "north"
[metrics]
interval_s = 0.5
{CONFIG}
"""
COLLECT = (
    'COLLECT_OPTIONS="--host 127.0.0.1 --port 1883 --fleet north --keys /etc/edgectl/keys '
    '--to sqlite:////var/lib/edgectl/north.db"\nEDGECTL_PASSWORD=unused\n'
)
COLLECTED = """
import sqlite3, sys
query = "SELECT count(*) FROM results WHERE device = 'gate-1' AND stream = 'result' AND epoch = ?"
query += " AND kind NOT IN ('ledger', 'failed')"
print(sqlite3.connect('/var/lib/edgectl/north.db').execute(query, sys.argv[1:]).fetchone()[0])
"""
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

    def done(*command: str) -> None:
        told = machine.run(*command)
        assert told.returncode == 0, told.stderr

    done("systemd-run", "--unit=broker", "mosquitto", "-p", "1883")
    done("useradd", "--system", "--home-dir", "/var/lib/edgectl", "--shell", "/usr/sbin/nologin", "edgectl")
    done("mkdir", "-p", "/etc/edgectl")
    done(EDGECTL, "init", KEYS, "--fleet", "north", "--device", "gate-1", "--no-models")
    done("chown", "-R", "edgectl:", KEYS)
    done("install", "-d", "-m", "0700", "/etc/credstore")
    for name, key in (("device-key", "devices/gate-1.key"), ("collector-key", "collector.pub")):
        done("install", "-m", "0600", f"{KEYS}/{key}", f"/etc/credstore/edge-agent.{name}")
    machine.write("/etc/edgectl/collect.env", COLLECT)
    done("systemctl", "start", COLLECTOR)
    return machine


def test_a_line_of_services_delivers_all_and_a_stop_drains_it_in_time(line: Container) -> None:
    line.start(LINE)
    line.inferring()

    def delivering() -> bool:
        status = line.status()
        if status is None or status["link"]["state"] != "online":
            return False
        return bool(status["store"]["acked"] > 50)

    line.until(delivering, "deliver", 30)
    status = line.status()
    assert status is not None
    assert status["link"]["signed"]
    assert "ok   keys: signs as " in line.agent("check")  # beside the service, whose credentials these are
    began = time.monotonic()
    assert line.run("systemctl", "stop", UNIT).returncode == 0
    took_s = time.monotonic() - began
    assert line.show("Result") == "success"
    assert took_s < 10  # what a drain may take, and the rest
    records, ledger = line.records("result", status["store"]["epoch"])
    assert ledger["in_flight"] == 0
    have: list[int] = []

    def stored() -> bool:
        have.append(int(line.run("/usr/bin/python3", "-c", COLLECTED, status["store"]["epoch"]).stdout or 0))
        return have[-1] >= int(ledger["inferred"])

    line.until(stored, "store", 15)
    assert have[-1] == ledger["inferred"]
    results = [record for record in records if record.get("kind") not in {"ledger", "failed"}]
    assert len(results) <= ledger["inferred"]  # what is acknowledged may be unlinked by now


def test_the_collector_runs_as_its_unit_says_and_ends_with_its_service(line: Container) -> None:
    assert (line.show("ActiveState", COLLECTOR), line.show("NRestarts", COLLECTOR)) == ("active", "0")
    pid = line.show("MainPID", COLLECTOR)
    assert line.run("ps", "-o", "user=", "-p", pid).stdout.strip() == "edgectl"
    assert line.run("systemctl", "stop", COLLECTOR).returncode == 0
    assert (line.show("Result", COLLECTOR), line.show("ExecMainStatus", COLLECTOR)) == ("success", "0")
    assert line.run("systemctl", "start", COLLECTOR).returncode == 0


def test_bytes_to_the_disk_and_what_workers_use_are_counted_under_the_service(line: Container) -> None:
    line.start(LINE)
    line.inferring()
    found: list[dict[str, Any]] = []

    def told() -> bool:
        found.append(line.status() or {"store": {"streams": {"metric": {"committed": 0}}}})
        return bool(found[-1]["store"]["streams"]["metric"]["committed"] > 3)

    line.until(told, "record metrics", 30)
    store = found[-1]["store"]
    line.run("systemctl", "stop", UNIT)
    records, _ = line.records("metric", store["epoch"])
    items = {item["name"]: item for record in records for item in record["items"]}
    assert items["worker_rss_bytes"]["value"] > 10 << 20
    assert items["worker_cpu_seconds_total"]["value"] > 0
    assert items["rss_bytes"]["value"] > 10 << 20
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
