"""A simulated fleet on one broker: what it costs, what is lost, how long commands and rollouts take.

    python -m bench.fleet [--devices N] [--processes N] [--seconds S] [--quick] [--json]

One mosquitto, ``edgectl collect`` with SQLite, ``edgectl simulate`` in two processes, all on this machine;
five results a second of each device, in batches of five seconds, vitals each minute. First the fleet is left
alone for a while, and messages and CPU are counted. Then comes a signed command to all, then a rollout in
four waves, where 3 % of the devices are bad: with a limit of 10 % it must complete. One of another model with
a limit of 2 % must halt, and what was is put back.
At the end each record that was made must be stored, once. What is simulated has no inference:
the figures are those of the control and data planes.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from agent import resources
from agent.demo.broker import Broker
from agent.fleet.keys import make_keys
from agent.fleet.repository.begin import begin
from bench.collected import await_collector
from bench.counted import Counts, cpu_s, rss_mb
from bench.figures import Figure, machine

_JOIN_S, _WAVES_S = 300.0, 3600.0
_SOAK = "10s"
_WAVES = "1,10%,50%,100%"
_BAD = 0.03
_RATE = 5
"""Results a second of each device: its probation of 300 good frames takes as long as that of 60 seconds."""
_FIRST, _SECOND = "glyphs", "shapes"
"""Models that come with the agent: a rollout of the first completes, one of the second halts."""
_HALTED = (3, 4)
"""Exit codes of a rollout that broke a limit: it waits for a person, or has put back what was."""


class Fleet:
    """A broker, a collector and a simulated fleet, as processes.

    Args:
        folder: for all of their files.
        devices, processes: how many.
    """

    def __init__(self, folder: Path, devices: int, processes: int) -> None:
        self.folder, self.devices = folder, devices
        self.keys = folder / "keys"
        self._secret = secrets.token_hex(16)
        self._environment = os.environ | {"EDGECTL_PASSPHRASE": self._secret}
        self.said: dict[str, Any] = {}
        make_keys(self.keys)
        begin(self.keys, lambda: self._secret)
        self._undo = ExitStack()
        self.broker = Broker(folder / "broker", kind="mosquitto")
        self.broker.start()
        self._undo.callback(self.broker.stop)
        where = ["--port", str(self.broker.port)]
        to = ["--to", f"sqlite:///{folder}/fleet.db", "--keys", str(self.keys), "--json"]
        self.collector = self._program("collect", *where, *to)
        self._undo.callback(self.collector.kill)
        await_collector(self.collector)
        for model in (_FIRST, _SECOND):
            self.edgectl("publish", str(resources.bundled_models()[model]))
        self.simulator = self._program(
            "simulate", *where, "--dir", str(self.keys), "--devices", str(devices), "--json",
            "--processes", str(processes), "--fault", f"bad={_BAD}", "--ramp", "50", "--rate", str(_RATE),
        )  # fmt: skip
        self._undo.callback(self.simulator.kill)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _program(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "agent.fleet.main", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=self._environment)

    def _read(self) -> None:
        assert self.simulator.stdout is not None
        for line in self.simulator.stdout:
            self.said = json.loads(line)

    def edgectl(self, verb: str, *words: str, good: tuple[int, ...] = (0,)) -> tuple[int, dict[str, Any]]:
        """Run a verb of the operator's; give its exit code and its JSON."""
        about = ["--dir", str(self.keys), "--port", str(self.broker.port), "--json"]
        command = [sys.executable, "-m", "agent.fleet.main", *verb.split(), *words, *about]
        done = subprocess.run(command, stdout=subprocess.PIPE, env=self._environment, check=False)
        if done.returncode not in good:
            sys.exit(f"edgectl {verb} ended with {done.returncode}: {done.stdout.decode()[-500:]}")
        lines = done.stdout.decode().splitlines()
        return done.returncode, json.loads(lines[-1]) if lines else {}

    def joined(self) -> float:
        """Wait until all devices are online and deliver; give the seconds."""
        began = time.monotonic()
        while not (self.said.get("online") == self.devices and self.said["stored"] > self.devices):
            if time.monotonic() - began > _JOIN_S or self.simulator.poll() is not None:
                sys.exit(f"the fleet did not come up: {self.said}")
            time.sleep(0.2)
        return time.monotonic() - began

    def stop(self) -> dict[str, Any]:
        """End the fleet, then the collector; give what the collector counted."""
        self.simulator.send_signal(signal.SIGTERM)
        self.simulator.wait(60)
        self._reader.join(10)
        self.collector.send_signal(signal.SIGTERM)
        out, _ = self.collector.communicate(timeout=60)
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    def close(self) -> None:
        """Leave no process."""
        self._undo.close()


def alone(fleet: Fleet, seconds: float) -> dict[str, float]:
    """Leave the fleet alone for a while; give what it costs."""
    counts = Counts(fleet.broker.port)
    try:
        began, before = counts.now()
        said, cpu = fleet.said, (cpu_s(fleet.broker.pid), cpu_s(fleet.collector.pid))
        time.sleep(seconds)
        ended, after = counts.now()
    finally:
        counts.close()
    took = ended - began
    told, spent = fleet.said, (cpu_s(fleet.broker.pid), cpu_s(fleet.collector.pid))
    spans = {name: (after[name] - before[name]) / took for name in after}
    per_device_ms = 1000 / took / fleet.devices
    return {
        "packets of MQTT in, a second": spans["messages/received"],
        "packets of MQTT out, a second": spans["messages/sent"],
        "KB in, a second": spans["bytes/received"] / 1024,
        "KB out, a second": spans["bytes/sent"] / 1024,
        "batches a second": (told["batches"] - said["batches"]) / took,
        "records stored a second": (told["stored"] - said["stored"]) / took,
        "simulator, ms of CPU a device and second": (told["cpu_s"] - said["cpu_s"]) * per_device_ms,
        "broker, ms of CPU a device and second": (spent[0] - cpu[0]) * per_device_ms,
        "collector, ms of CPU a device and second": (spent[1] - cpu[1]) * per_device_ms,
        "simulator, KB of memory a device": told["kb_a_device"],
        "broker, MB of memory": rss_mb(fleet.broker.pid),
        "collector, MB of memory": rss_mb(fleet.collector.pid),
    }


def rollout(fleet: Fleet, model: str, limit: str, name: str) -> tuple[float, dict[str, Any]]:
    """Roll a model out in four waves; give the seconds it took, and how it ended."""
    terms = ("--waves", _WAVES, "--soak", _SOAK, "--max-fail", limit, "--deadline", "20m", "--name", name)
    began = time.monotonic()
    where = ("--pipelines", "sim", "--group", "simulated", "--on-fail", "halt")
    code, told = fleet.edgectl("rollout start", model, *where, *terms, good=(0, *_HALTED))
    return time.monotonic() - began, {"code": code, **told}


def measured(fleet: Fleet, seconds: float) -> tuple[dict[str, float], list[Figure]]:
    """Do all of it; give plain numbers, and those that have a target."""
    facts = {"seconds until all have joined": fleet.joined()}
    facts |= alone(fleet, seconds)
    began = time.monotonic()
    _, told = fleet.edgectl("command", "--all", "ping", "--timeout", "300")
    facts["seconds until all have answered a command"] = time.monotonic() - began
    answered = told["done"]
    first, second = titled(_FIRST), titled(_SECOND)
    took, done = rollout(fleet, first, "10%", "lenient")
    facts["seconds until a rollout was complete, 10 % may fail"] = took
    facts["devices that have its model"] = have(fleet, first)
    took, halted = rollout(fleet, second, "2%", "strict")
    facts["seconds until a rollout halted, 2 % may fail"] = took
    facts["devices that have its model then"] = have(fleet, second)
    began = time.monotonic()
    fleet.edgectl("rollout abort", "strict", good=(0, *_HALTED))
    facts["seconds until what was is put back"] = time.monotonic() - began
    facts["devices that have the first model again"] = have(fleet, first)
    collected = fleet.stop()
    made, bad = fleet.said["records"], round(fleet.devices * _BAD)
    with closing(sqlite3.connect(f"file:{fleet.folder / 'fleet.db'}?mode=ro", uri=True)) as db:
        (stored,) = db.execute("SELECT count(*) FROM results").fetchone()
    facts |= {"records made": made, "duplicates": collected["duplicate"]}
    served, again = (facts[f"devices that have {what}"] for what in ("its model", "the first model again"))
    return facts, [
        _whole("records stored, of those made", "records", stored, made),
        _whole("devices that answered a command", "devices", answered, fleet.devices),
        _whole("a rollout with a limit of 2 % halts", "yes", halted["code"] in _HALTED, 1),
        _whole("a rollout with a limit of 10 % completes", "yes", done["code"] == 0, 1),
        _whole("devices with the model, of the good ones", "devices", served, fleet.devices - bad),
        _whole("... and again, when the other one was put back", "devices", again, fleet.devices - bad),
    ]


def titled(model: str) -> str:
    """Give a bundled model's ``name@version``."""
    manifest = json.loads((resources.bundled_models()[model] / "manifest.json").read_text())
    return f"{manifest['name']}@{manifest['version']}"


def _whole(name: str, unit: str, ours: float, other: float) -> Figure:
    """A figure that must be as large as it can."""
    return Figure(name, unit, (float(ours),), (float(other),), 1.0, "more")


def have(fleet: Fleet, model: str) -> float:
    """Count devices that have a model on trial or active, as the simulator tells a moment later."""
    time.sleep(2.5)
    stands = fleet.said["stands"]
    return float(stands.get(f"active {model}", 0) + stands.get(f"probation {model}", 0))


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the fleet is left alone")
    parser.add_argument("--quick", action="store_true", help="100 devices, 10 seconds: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    devices, seconds = (100, 10.0) if arguments.quick else (arguments.devices, arguments.seconds)
    with tempfile.TemporaryDirectory() as name:
        fleet = Fleet(Path(name), devices, arguments.processes)
        try:
            facts, figures = measured(fleet, seconds)
        finally:
            fleet.close()
    if arguments.json:
        body = {"facts": {key: round(value, 3) for key, value in facts.items()}}
        print(json.dumps({"machine": machine(), "figures": [one.to_json() for one in figures], **body}))
    else:
        print(f"machine: {machine()}; {devices} devices")
        for name, value in facts.items():
            print(f"{name:<58} {value:>12,.2f}")
        for figure in figures:
            print(f"{figure.name:<58} {figure.ours[0]:>12,.0f} of {figure.other[0]:,.0f}  {_verdict(figure)}")
    return 0 if all(figure.met for figure in figures) else 1


def _verdict(figure: Figure) -> str:
    return "met" if figure.met else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
