"""A device that is merely offline, with name servers that never answer."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.simulators.namespaces import NAMESPACE, namespaces_needed

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import fcntl, queue, socket, struct, subprocess, sys, time
from pathlib import Path
from agent.cli.device.settings import Loaded
from agent.clock import SystemClock
from agent.store.settings import StoreSettings
from agent.store.thread import Store
from agent.uplink.uplink import Uplink

folder = Path(sys.argv[1])
control = socket.socket()
fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1))  # up
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
(folder / "resolv.conf").write_text("nameserver 127.0.0.1\\noptions timeout:2 attempts:1\\n")
subprocess.run(["mount", "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)

said = queue.SimpleQueue()
plan = Loaded(folder / "agent.toml").plan()
store = Store(plan.data, said.put, clock=SystemClock(), settings=StoreSettings())
uplink = Uplink(plan, store, said.put)
uplink.start()
silent.settimeout(10)
silent.recv(512)  # it asks, and waits
now = time.monotonic()
print(uplink.status()["state"], uplink.alive(now + 200), uplink.alive(now + 1000))
print(said.get(timeout=20).reason)
now = time.monotonic()
print(uplink.alive(now), uplink.alive(now + 200))
uplink.close()
"""
CONFIG = """
[store]
path = "data"
[mqtt]
host = "broker.example"
[trust]
unsigned = true
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic" }
"""


@pytest.fixture(scope="module")
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    namespaces_needed(tmp_path_factory.mktemp("namespace"))


@pytest.mark.usefixtures("_namespaces")
def test_a_name_look_up_that_takes_minutes_is_not_a_thread_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(CONFIG)
    command = [*NAMESPACE, "--net", sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    looking, problem, afterwards = done.stdout.splitlines()
    assert looking == "connecting True False"
    assert "broker.example" in problem
    assert afterwards == "True False"
