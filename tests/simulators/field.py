"""Devices, a broker and a collector with keys, as processes; data folders and databases that are put back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from agent.demo.broker import Broker
from agent.fleet.keys import make_keys
from agent.store.accounts import epoch_accounts
from tests.simulators.collected import Accounts, accounts
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TABLES = """\
commit_interval_s = 0.1
ballast_bytes = 0
[device]
id = "{device}"
[mqtt]
host = "127.0.0.1"
port = {port}
fleet = "field"
protocol = "{protocol}"
keepalive_s = {keepalive_s}
resend_s = 1
reconnect_max_s = 1
[trust]
device_key = "{keys}/devices/{key}.key"
collector_key = "{keys}/collector.pub"
[metrics]
interval_s = 0
"""


class Field:
    """All of it in one folder; a context manager that leaves no process.

    Args:
        folder: an empty one.
        devices: who gets keys.

    Attributes:
        known: the last number of each stream and epoch that was seen in a data folder.
        database: the collector's.
    """

    def __init__(self, folder: Path, *devices: str) -> None:
        self.folder, self.database, self.keys = folder, folder / "fleet.db", folder / "keys"
        self.known: dict[tuple[str, str], int] = {}
        self.broker = Broker(folder / "broker", kind="mosquitto")
        self._devices = devices
        self._collector: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.broker.start()
        make_keys(self.keys, self._devices)
        self.start_collector()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_collector()
        self.broker.stop()

    def _end_collector(self) -> None:
        if self._collector is not None:
            self._collector.kill()
            self._collector.communicate()

    def agent(
        self,
        device: str,
        *,
        key: str = "",
        place: str = "",
        port: int = 0,
        protocol: str = "auto",
        keepalive_s: int = 30,
    ) -> RunningAgent:
        """Make an agent of a device, in a folder of this name; enter it to start it."""
        folder = self.folder / (place or device)
        folder.mkdir(exist_ok=True)
        tables = _TABLES.format(
            device=device,
            port=port or self.broker.port,
            protocol=protocol,
            keepalive_s=keepalive_s,
            keys=self.keys,
            key=key or device,
        )
        agent = RunningAgent(folder, more="")
        text = agent.config.read_text().replace("commit_interval_s = 0.1\n", tables)
        agent.config.write_text(text)
        agent.environment = {**os.environ, "EDGE_AGENT__SHUTDOWN_DRAIN_S": "30"}
        return agent

    @property
    def collector_pid(self) -> int:
        """The collector's process."""
        assert self._collector is not None
        return self._collector.pid

    def start_collector(self) -> None:
        """Start it, and wait until it listens."""
        where = ["--host", "127.0.0.1", "--port", str(self.broker.port), "--fleet", "field"]
        to = ["--to", f"sqlite:///{self.database}", "--keys", str(self.keys), "--json"]
        with (self.folder / "collector.log").open("ab") as log:
            self._collector = subprocess.Popen(
                [sys.executable, "-m", "agent.fleet.main", "collect", *where, *to],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._collector.stdout is not None
        assert json.loads(self._collector.stdout.readline())["event"] == "ready"

    def stop_collector(self) -> dict[str, Any]:
        """Stop it; give its last words."""
        assert self._collector is not None
        self._collector.terminate()
        out, _ = self._collector.communicate(timeout=30)
        assert self._collector.returncode == 0
        self._collector = None
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    def end(self, agent: RunningAgent) -> None:
        """Stop an agent when it has delivered all, or cannot; note what it has ever committed."""
        assert agent.end(timeout_s=60) == 0, agent.log
        self.take_stock(agent.data)

    def take_stock(self, data: Path) -> None:
        """Note what was committed in a data folder."""
        for one in epoch_accounts(data):
            place = (one.stream, one.epoch)
            self.known[place] = max(one.last, self.known.get(place, 0))

    def accounts(self) -> Accounts:
        """What became of all that was ever committed."""
        return accounts(self.database, self.known)


def copy(data: Path, name: str) -> Path:
    """Copy a data folder, or put such a copy in the place of one."""
    target = data.with_name(name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(data, target, ignore=shutil.ignore_patterns("*.sock", "*-shm"))
    return target


def until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Wait for a state."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(0.02)


def asked(database: Path, query: str) -> list[Any]:
    """Ask the collector's database."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()
