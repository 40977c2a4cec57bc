"""A machine that boots with systemd as its first process, and the services on it: what all kinds share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

UNIT = "edge-agent.service"
COLLECTOR = "edgectl-collect.service"
DATA = "/var/lib/private/edge-agent"
SOCKET = "/run/edge-agent/agent.sock"
CONFIG = """
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic", width = 160, height = 120, fps = 50 }
"""
_ASK = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); "
    f"s.connect('{SOCKET}'); "
    's.sendall(b\'{"op":"status"}\\n\'); print(s.makefile().readline())'
)
_READ = """
import sqlite3, zlib, json, glob, sys
folder, stream, epoch = sys.argv[1:]
records, ledger = [], None
for path in glob.glob(f'{folder}/segments/{stream}-{epoch}-*.db'):
    for (data,) in sqlite3.connect(path).execute('SELECT data FROM blocks ORDER BY first'):
        body = json.loads(zlib.decompress(data))
        records += body['records']
        ledger = body['ledgers'].get('door', ledger)
print(json.dumps([records, ledger]))
"""


class Booted(ABC):
    """A booted machine.

    Attributes:
        patience: how many times longer than a machine of today it may take.
    """

    patience = 1.0

    @abstractmethod
    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as root inside, with ``said`` as its input."""

    @abstractmethod
    def alive(self) -> bool:
        """Whether it still runs."""

    @abstractmethod
    def reachable(self) -> bool:
        """Whether commands can be run inside."""

    @abstractmethod
    def console(self) -> str:
        """Give what its console says."""

    def agent(self, *arguments: str) -> str:
        """Run edge-agent as root inside, as an operator does; give what it says, once it has ended with 0."""
        done = self.run("/opt/edge-agent/bin/edge-agent", *arguments)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        done = self.run("sh", "-c", f"mkdir -p {Path(path).parent} && cat > {path}", said=text)
        assert done.returncode == 0, done.stderr

    def start(self, config: str) -> None:
        """Start the service on a configuration, anew where it runs; it is ready afterwards."""
        self.write("/etc/edge-agent/agent.toml", config)
        self.run("systemctl", "reset-failed", UNIT)
        started = self.run("systemctl", "restart", UNIT)
        assert started.returncode == 0, started.stderr + self.journal()

    def journal(self, unit: str = UNIT) -> str:
        """Give what a service, and systemd of it, have said; what journald has yet to read is waited for."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-u", unit, "--no-pager", "-n", "200").stdout

    def show(self, name: str, unit: str = UNIT) -> str:
        """Give a property of a service."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def status(self) -> dict[str, Any] | None:
        """Ask the agent on its socket; None while it does not answer."""
        line = self.run("/usr/bin/python3", "-c", _ASK).stdout
        if not line.strip():
            return None
        found: dict[str, Any] = orjson.loads(line)
        return found

    def inferring(self) -> dict[str, Any]:
        """Wait until the agent has inferred some frames since its start; give its status."""
        found: list[dict[str, Any]] = []

        def ready() -> bool:
            status = self.status()
            if status and status["pipelines"][0]["ledger"]["inferred"] > 20:
                found.append(status)
            return bool(found)

        self.until(ready, "infer", 60)
        return found[-1]

    def records(self, stream: str, epoch: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Read what the agent has on its disk: a stream's records, and the newest ledger of the pipeline."""
        told = self.run("/usr/bin/python3", "-c", _READ, DATA, stream, epoch)
        assert told.returncode == 0, told.stderr
        records, ledger = orjson.loads(told.stdout)
        return records, ledger

    def kill(self, name: str, pid: int) -> None:
        """Send a signal to a process inside, by its id in there; 0 would be everyone."""
        assert pid > 1
        assert self.run("kill", f"-{name}", str(pid)).returncode == 0

    def until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> float:
        """Wait; give the seconds that it took."""
        began = time.monotonic()
        while not condition():
            assert self.alive(), self.console()
            if time.monotonic() - began > timeout_s * self.patience:
                journal = self.journal() if self.reachable() else ""
                raise AssertionError(f"it did not {what} in {timeout_s * self.patience} s:\n{journal}")
            time.sleep(0.05)
        return time.monotonic() - began
