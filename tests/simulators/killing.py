"""A device under load, its broker and its collector, as processes that are killed and started again.

The agent, its workers and the collector run under kill_point.c, which kills them at a named step, so that the
product needs no hooks. What has been committed is read off the data folder after each kill of the agent.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.blocks import STREAMS, Position
from agent.demo.broker import Broker
from agent.errors import AgentError
from agent.fleet.keys import make_keys
from agent.store.settings import StoreSettings
from agent.supervision.control import ask
from tests.simulators.kill_points import Kill, Known, Point, Victim
from tests.simulators.outboxes import opened
from tests.simulators.running_agent import alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PROGRAMS: dict[Victim, str] = {
    "agent": "agent.cli.main",
    "worker": "agent.workers.main",
    "collector": "agent.fleet.main",
}
CONFIG = """\
[device]
id = "gate"
[log]
level = "warning"
[mqtt]
host = "127.0.0.1"
port = {port}
fleet = "kills"
resend_s = 1
reconnect_max_s = 1
[trust]
device_key = "keys/devices/gate.key"
collector_key = "keys/collector.pub"
[store]
path = "{folder}/data"
commit_interval_s = 0.03
segment_bytes = 65536
ballast_bytes = 0
[control]
path = "{control}"
"""
PIPELINE = """\
[[pipelines]]
name = "{name}"
model = "glyphs"
priority = "{priority}"
source = {{ kind = "synthetic", width = 48, height = 48, fps = {fps} }}
"""
PIPELINES = (("door", "normal", 400), ("yard", "high", 100))
"""Name, priority, frames/s: results of the second are alerts, and each is committed at once."""
_ORDER = 512
"""The size of the file that tells kill_point.c whom to kill where."""
REACHED_S = 60.0
"""How long to wait for a state, in time that this process runs: whoever stops all of it spoils nothing."""


class Scene:
    """All of it in one folder; a context manager that leaves no process.

    Attributes:
        known: what was seen to be committed.
        database: the collector's.
    """

    def __init__(self, folder: Path, shim: Path) -> None:
        self.folder, self.data, self.database = folder, folder / "data", folder / "fleet.db"
        self.known = Known()
        (folder / "point").write_bytes(bytes(_ORDER))
        with (folder / "point").open("r+b") as file:
            self._order = mmap.mmap(file.fileno(), _ORDER)
        self._orders = 0
        self._control = Path(f"/tmp/edge-agent-kills-{os.getpid()}.sock")  # a path of 107 bytes at most
        self._environment = {**os.environ, "LD_PRELOAD": str(shim), "KILL_POINT": str(folder / "point")}
        self._broker = Broker(folder / "broker", kind="mosquitto")
        self._agent: subprocess.Popen[bytes] | None = None
        self._collector: subprocess.Popen[bytes] | None = None
        self._log = (folder / "log").open("ab")

    def __enter__(self) -> Self:
        self._broker.start()
        make_keys(self.folder / "keys", ["gate"])
        pipelines = "".join(
            PIPELINE.format(name=name, priority=priority, fps=fps) for name, priority, fps in PIPELINES
        )
        text = CONFIG.format(port=self._broker.port, folder=self.folder, control=self._control)
        (self.folder / "agent.toml").write_text(f"shutdown_drain_s = 60\n{text}{pipelines}")
        self._start_collector()
        self._start_agent()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._agent, self._collector):
            if process is not None:
                process.kill()
                process.communicate()
        self._broker.stop()
        self._log.close()
        self._order.close()
        self._control.unlink(missing_ok=True)

    @property
    def log(self) -> str:
        """What agent and collector have logged, and the end of it only."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def kill_at(self, point: Point, random: Random) -> Kill:
        """Kill the victim at a named state; start it again."""
        if point.starting:
            self._the(point.victim).kill()
            self._the(point.victim).wait()
            self._take_stock()
        workers = self._workers() if point.victim == "worker" else {}
        count = random.randint(1, point.most)
        line = f"{PROGRAMS[point.victim]} {point.step} {point.when} {count} {point.pattern}\n"
        self._orders += 1
        self._order[8:] = line.encode().ljust(_ORDER - 8, b"\0")
        self._order[:8] = struct.pack("@Q", self._orders)
        if point.starting:
            self._launch_agent()
        self._await(lambda: not any(self._order[:8]), f"came to the state {point.name!r}")
        return Kill(point.victim, point.name, self._recover(point.victim, workers))

    def kill(self, victim: Victim, random: Random) -> Kill:
        """Kill the victim at some moment; start it again."""
        until = time.monotonic() + random.random()
        while time.monotonic() < until:
            self._look()
            time.sleep(0.02)
        workers = self._workers() if victim == "worker" else {}
        if victim == "worker":
            os.kill(random.choice(sorted(workers)), signal.SIGKILL)
        else:
            self._the(victim).kill()
        return Kill(victim, "at some moment", self._recover(victim, workers))

    def finish(self) -> None:
        """Stop the agent when it has delivered all, and then the collector."""
        agent, collector = self._the("agent"), self._the("collector")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(90) == 0, self.log
        self._take_stock(drained_too=True)
        collector.send_signal(signal.SIGTERM)
        collector.communicate(timeout=30)
        assert collector.returncode == 0, self.log

    def _recover(self, victim: Victim, workers: dict[int, str]) -> float:
        """See the victim dead; start it, or see it started; give the seconds until it was ready."""
        if victim == "worker":
            began = time.monotonic()
            self._await(lambda: any(not alive(pid) for pid in workers), "lost a worker")
            self._await(lambda: self._is_running(instead_of=workers), "had a new worker")
            return time.monotonic() - began
        process = self._the(victim)
        assert process.wait(60) == -signal.SIGKILL, self.log
        if victim == "collector":
            process.communicate()
            return self._start_collector()
        self._take_stock()
        return self._start_agent()

    def _the(self, victim: Victim) -> subprocess.Popen[bytes]:
        process = self._collector if victim == "collector" else self._agent
        assert process is not None
        return process

    def _start_collector(self) -> float:
        began = time.monotonic()
        where = ["--host", "127.0.0.1", "--port", str(self._broker.port), "--fleet", "kills"]
        to = ["--to", f"sqlite:///{self.database}", "--keys", str(self.folder / "keys"), "--json"]
        command = [sys.executable, "-m", "agent.fleet.main", "collect", *where, *to]
        self._collector = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, env=self._environment
        )
        assert self._collector.stdout is not None
        assert json.loads(self._collector.stdout.readline() or "{}").get("event") == "ready", self.log
        return time.monotonic() - began

    def _start_agent(self) -> float:
        began = time.monotonic()
        self._launch_agent()
        self._await(self._is_running, "was ready", every_s=0.005)
        return time.monotonic() - began

    def _launch_agent(self) -> None:
        command = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(self.folder / "agent.toml")]
        self._agent = subprocess.Popen(command, stderr=self._log, env=self._environment)

    def _status(self) -> dict[str, Any] | None:
        try:
            return ask(self._control, {"op": "status"})
        except AgentError:
            return None  # it does not listen

    def _look(self) -> dict[str, Any] | None:
        """Ask the agent how it is, and note what it has committed."""
        if (status := self._status()) is not None:
            for stream, one in status["store"]["streams"].items():
                self.known.see(stream, status["store"]["epoch"], one["committed"])
            assert all(pipeline["balanced"] for pipeline in status["pipelines"]), status
        return status

    def _workers(self) -> dict[int, str]:
        self._await(self._is_running, "was ready")
        status = self._look()
        assert status is not None
        return {pipeline["pid"]: pipeline["name"] for pipeline in status["pipelines"] if pipeline["pid"]}

    def _is_running(self, instead_of: dict[int, str] | None = None) -> bool:
        status = self._look()
        if status is None:
            return False
        lanes = status["pipelines"]
        fresh = not instead_of or any(lane["pid"] not in instead_of for lane in lanes)
        return fresh and all(lane["state"] == "running" for lane in lanes)

    def _await(self, condition: Callable[[], bool], what: str, every_s: float = 0.02) -> None:
        left = REACHED_S
        while not condition():
            assert left > 0, f"it never {what}; it is: {self._status()}\n{self.log}"
            began = time.monotonic()
            self._look()
            time.sleep(every_s)
            left -= min(time.monotonic() - began, 1.0)

    def _take_stock(self, *, drained_too: bool = False) -> None:
        """Note what a dead agent's folder holds; nothing of it may be damaged."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            copy = Path(name) / "data"
            shutil.copytree(self.data, copy, ignore=shutil.ignore_patterns("*.sock", "*-shm"))
            with closing(opened(copy, StoreSettings())) as outbox:
                for stream in STREAMS:
                    after = None
                    while (lease := outbox.lease(after, 1 << 20, stream)) is not None:
                        assert not lease.lost, lease
                        assert not drained_too, f"{lease.first}..{lease.last} of {lease.epoch} are left"
                        self.known.see(stream, lease.epoch, lease.last)
                        after = Position(lease.epoch, lease.last)
