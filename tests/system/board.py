"""A board of 64-bit ARM with the service, and what is outside of it: a broker, keys and the collector."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.demo.broker import Broker
from tests.simulators.collected import Accounts, accounts
from tests.simulators.collecting import collecting
from tests.simulators.running_agent import balanced
from tests.system.accounts import OWN_KINDS
from tests.system.booted import UNIT
from tests.system.vm import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tests.system.vm import Vm

CAMERA = "/dev/v4l/by-path/platform-vivid.0-video-index0"
DRIVER = "/sys/bus/platform/drivers/vivid"
SLOW = """
[deadlines]
start_s = 400
load_s = 400
open_s = 200
capture_s = 100
learn = false
invoke_s = 100
"""
"""The deadlines that the agent has of itself are those of a machine that is not emulated."""
_DEVICE = """
[device]
id = "gate-1"
"""
_DOOR = """
[[pipelines]]
name = "door"
model = "{model}"
source = {source}
"""
SYNTHETIC = '{ kind = "synthetic", width = 160, height = 120, fps = 4 }'
_PSS = (
    f"for pid in $(cat /sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs); do "
    "tr '\\0' ' ' < /proc/$pid/cmdline; grep '^Pss:' /proc/$pid/smaps_rollup; done"
)
_SITE = "/opt/edge-agent/lib/python3.11/site-packages"
_ROWS_S = 60.0


def config(model: str = "glyphs", source: str = SYNTHETIC, more: str = "") -> str:
    """Give a configuration of one pipeline, the door."""
    return f"{_DEVICE}{SLOW}{more}{_DOOR.format(model=model, source=source)}"


def until_status(vm: Vm, holds: Callable[[dict[str, Any]], bool], what: str, timeout_s: float = 30) -> Any:
    """Wait until the agent's status is as it must be; give it."""
    found: list[dict[str, Any]] = []

    def seen() -> bool:
        status = vm.status()
        if status is None or not holds(status):
            return False
        found.append(status)
        return True

    vm.until(seen, what, timeout_s)
    return found[-1]


def inferring(vm: Vm, more: int = 5) -> dict[str, Any]:
    """Wait until the door has inferred some more; give what is told of it."""

    def count(status: dict[str, Any]) -> int:
        return int(status["pipelines"][0]["ledger"]["inferred"])

    before = count(until_status(vm, lambda _: True, "answer"))
    # A new start counts from 0.
    status = until_status(vm, lambda now: count(now) >= before + more or more <= count(now) < before, "infer")
    return dict(status["pipelines"][0])


def supervisor(vm: Vm) -> int:
    """Give the service's main process."""
    pid = int(vm.show("MainPID"))
    assert pid > 1
    return pid


def restarted(vm: Vm, before: int, within_s: float = 30.0) -> None:
    """Wait until another main process has taken over and infers."""
    vm.until(lambda: int(vm.show("MainPID")) not in {0, before}, "start again", within_s)
    vm.until(lambda: vm.show("ActiveState") == "active", "be ready", 30)
    inferring(vm)


def results_of(vm: Vm, epoch: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read the results of a start, and its ledger, which must balance and name as many."""
    records, ledger = vm.records("result", epoch)
    results = [record for record in records if record.get("kind") not in OWN_KINDS]
    assert balanced(ledger), ledger
    assert len(results) == ledger["inferred"]
    return results, ledger


def lose_power(vm: Vm) -> None:
    """Cut the power of a machine whose agent stores results: all that it had stored is there afterwards."""
    vm.start(config())
    store = until_status(vm, lambda now: now["store"]["committed"] > 10, "store results")["store"]
    vm.cut()
    vm.boot()
    vm.agent("store", "verify")
    vm.start(config())
    inferring(vm)
    vm.run("systemctl", "stop", UNIT)
    results, _ = results_of(vm, store["epoch"])
    assert len(results) >= store["committed"]


def plug_in(vm: Vm, plugin: ModuleType) -> None:
    """Install a source of the tests, a module that says what makes it a plugin."""
    name = plugin.__name__.rpartition(".")[2]
    vm.write(f"{_SITE}/{name}.py", Path(str(plugin.__file__)).read_text())
    vm.write(f"{_SITE}/{name}-1.dist-info/METADATA", plugin.METADATA)
    vm.write(f"{_SITE}/{name}-1.dist-info/entry_points.txt", plugin.ENTRY_POINTS)


def pss(vm: Vm) -> dict[str, int]:
    """Give the proportional memory of each process of the service, kB by the module that it runs."""
    found: dict[str, int] = {}
    for line in vm.sh(_PSS).splitlines():
        command, _, told = line.partition("Pss:")
        what = next((word for word in command.split() if word.startswith("agent.")), "supervisor")
        found[what] = found.get(what, 0) + int(told.split()[0])
    return found


@dataclass(frozen=True, slots=True)
class Outside:
    """What is on this machine: a broker, and a collector with its database."""

    broker: Broker
    database: Path

    @property
    def mqtt(self) -> str:
        """The part of a configuration that leads here."""
        where = f'host = "{OUTSIDE}"\nport = {self.broker.port}\nfleet = "demo"\n'
        return f"[mqtt]\n{where}resend_s = 5\nreconnect_max_s = 2\n"

    def settled(self, committed: dict[tuple[str, str], int]) -> Accounts:
        """Wait until the database has all that was committed, and clear accounts; give what it has."""
        give_up = time.monotonic() + _ROWS_S
        while True:
            found = accounts(self.database, committed)
            if (found.missing, found.unbalanced) == (0, ()) or time.monotonic() > give_up:
                return found
            time.sleep(0.2)


@contextmanager
def outside(vm: Vm, folder: Path) -> Iterator[Outside]:
    """Run broker and collector here, with keys as the manual says; the board has its own."""
    keys = folder / "keys"
    command = [sys.executable, "-m", "agent.fleet.main", "init", str(keys), "--fleet", "demo"]
    subprocess.run([*command, "--device", "gate-1", "--no-models"], check=True, capture_output=True)
    vm.sh("install -d -m 0700 /etc/credstore")
    for name, key in (("device-key", "devices/gate-1.key"), ("collector-key", "collector.pub")):
        vm.write(f"/etc/credstore/edge-agent.{name}", (keys / key).read_text())
    vm.sh("chmod 600 /etc/credstore/*")
    broker = Broker(folder / "broker", kind="mosquitto")
    broker.start()
    try:
        with collecting(broker, folder, "--keys", str(keys)):
            yield Outside(broker, folder / "fleet.db")
    finally:
        broker.stop()
        vm.sh("rm -rf /etc/credstore")
