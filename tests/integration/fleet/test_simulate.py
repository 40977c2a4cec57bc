"""A simulated fleet on a real broker, with a real collector and the operator's own verbs."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.fleet.keys import make_keys
from agent.fleet.simulating.common import common
from agent.fleet.simulating.device import SimulatedDevice
from agent.fleet.simulating.enrolling import enrol, names
from agent.fleet.simulating.faults import Traits, draw
from agent.fleet.simulating.spec import Spec
from tests.simulators.collecting import collecting, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.demo.broker import Broker
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto
DEVICES = names("sim", 20)


@contextmanager
def simulating(broker: Broker, keys: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run edgectl simulate."""
    command = [sys.executable, "-m", "agent.fleet.main", "simulate", "--dir", str(keys), "--json"]
    command += [
        "--devices",
        str(len(DEVICES)),
        "--port",
        str(broker.port),
        "--protocol",
        broker.protocol,
        *more,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read what it says each second until that holds."""
    give_up = time.monotonic() + 90
    said: dict[str, Any] = {}
    assert process.stdout
    while time.monotonic() < give_up:
        said = json.loads(process.stdout.readline())
        if condition(said):
            return said
    raise AssertionError(said)


def settled(said: dict[str, Any]) -> list[str]:
    """Give where devices stand that have decided about the model."""
    return [where for where in said["stands"] if where.startswith(("active", "rejected", "rolled_back"))]


def stopped(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Stop it as systemd would; give its last words."""
    process.send_signal(signal.SIGTERM)
    assert process.stdout
    last: dict[str, Any] = json.loads(process.stdout.read().splitlines()[-1])
    assert process.wait(30) == 0
    assert last["event"] == "stopped"
    return last


def test_each_result_is_stored_once_and_a_model_serves_where_it_is_good(
    edgectl: Edgectl, shapes: Path, broker: Broker, tmp_path: Path
) -> None:
    edgectl("publish", shapes)
    enrol(edgectl.folder, DEVICES)
    bad = draw(DEVICES, {"bad": 0.1}, 3)
    ill = {name for name, traits in bad.items() if traits.refuses or traits.fails}
    chosen = [*sorted(ill), *(name for name in DEVICES if name not in ill)][:6]
    keys = ("--keys", str(edgectl.folder), "--fleet", "default")
    quick = ("--probation-frames", "5", "--probation-seconds", "0.5")
    faults = ("--fault", "bad=10%", "--fault", "wrong-clock=50%", "--fault", "slow-link=10%", "--seed", "3")
    with (
        collecting(broker, tmp_path, *keys) as collector,
        simulating(
            broker,
            edgectl.folder,
            "--processes",
            "1",
            "--rate",
            "10",
            "--batch",
            "0.5",
            "--vitals",
            "1",
            *faults,
        ) as fleet,
    ):
        until(fleet, lambda said: said["online"] == len(DEVICES) and said["stored"] > 0)
        for name in chosen:
            edgectl("deploy", name, "shapes@1.0.0", "--pipeline", "sim", *quick)
        said = until(fleet, lambda said: sum(map(said["stands"].get, settled(said))) == len(chosen))
        assert said["stands"].pop("active shapes@1.0.0") == 4
        assert said["stands"].pop("idle") == 14
        assert sum(said["stands"].values()) == len(ill)
        last = stopped(fleet)
        collected = stop(collector)
    assert (last["stored"], last["backlog"], last["lost"]) == (last["records"], 0, 0)
    assert collected["new"] == last["records"]
    assert (collected["duplicate"], collected["refused"]) == (0, 0)
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as db:
        assert db.execute("SELECT count(*), count(DISTINCT device) FROM results").fetchone() == (
            last["records"],
            len(DEVICES),
        )
        states = dict(db.execute("SELECT device, online FROM devices").fetchall())
    assert states == dict.fromkeys(DEVICES, 0)


def test_a_real_device_is_not_played(edgectl: Edgectl, broker: Broker) -> None:
    make_keys(edgectl.folder, ["sim-0007"])
    with simulating(broker, edgectl.folder) as fleet:
        assert fleet.wait(30) == 78


def test_a_device_goes_away_without_a_word_and_comes_back_again_and_again(
    broker: Broker, tmp_path: Path
) -> None:
    spec = Spec(
        folder=str(tmp_path),
        work=str(tmp_path),
        broker={"host": "127.0.0.1", "port": broker.port},
        names=("sim-0001",),
        mine=("sim-0001",),
        signed=False,
        managed=False,
        batch_s=0.2,
    )
    shared = common(spec)
    traits = Traits(online_s=1.0, away_s=1.0, clock_s=1e8)
    device = SimulatedDevice(shared.plan("sim-0001"), traits, shared, time.monotonic())
    seen = [0]
    give_up = time.monotonic() + 90
    while len(seen) < 5:
        assert time.monotonic() < give_up, seen
        now = time.monotonic()
        wants = device.line.wants(now)
        fds = [wants.fd] if wants.fd >= 0 else []
        ready, free, _ = select.select(fds, fds if wants.write else [], [], min(device.due(now), 0.1))
        device.turn(time.monotonic(), readable=bool(ready), writable=bool(free))
        if device.counts["online"] != seen[-1]:
            seen.append(device.counts["online"])
    device.leave()
    assert seen == [0, 1, 0, 1, 0]
    assert device.counts["records"] == device.counts["backlog"] > 0


def test_a_model_that_is_bad_everywhere_never_gets_beyond_the_first_wave(
    edgectl: Edgectl, shapes: Path, broker: Broker
) -> None:
    edgectl("publish", shapes)
    with simulating(broker, edgectl.folder, "--processes", "1", "--bad-model", "shapes@1.0.0") as fleet:
        until(fleet, lambda said: said["online"] == len(DEVICES))
        command = [sys.executable, "-m", "agent.fleet.main", "rollout", "start", "shapes@1.0.0", "--json"]
        command += ["--dir", str(edgectl.folder), "--port", str(broker.port), "--pipelines", "sim"]
        command += ["--group", "simulated", "--waves", "10%,100%", "--soak", "1s", "--max-fail", "2%"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 4, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert {one["verdict"] for one in told["devices"].values() if one["wave"] == 2} == {"waiting"}
        said = until(fleet, lambda said: not any("proving" in where for where in said["stands"]))
        assert not any(where.startswith(("active", "probation")) for where in said["stands"])
