"""A controller that is killed with SIGKILL: another goes on, and no device is told twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from agent.fleet.rollouts.shelf import Shelf
from agent.fleet.rollouts.table import State
from tests.simulators import operators_folder
from tests.simulators.paper_fleet import NEW, OLD
from tests.simulators.puppet_fleet import puppets

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
NAMES = ["d0", "d1", "d2"]


def test_a_killed_controller_leaves_a_file_from_which_another_goes_on(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECTL_PASSPHRASE", operators_folder.PASSPHRASE)
    keys = tmp_path / "keys"
    operators_folder.make(keys, *NAMES, models=(str(OLD), str(NEW)))
    shelf = Shelf(keys)
    edgectl = [sys.executable, "-m", "agent.fleet.main", "rollout"]
    given = ["--dir", str(keys), "--port", str(broker.port), "--fleet", "demo", "--json"]
    chosen = [word for name in NAMES for word in ("--device", name)]
    wanted = ["--pipelines", "door", "--name", "one", "--waves", "1,100%", "--soak", "1s"]
    with puppets(dict.fromkeys(NAMES, "good"), keys, broker.port) as fleet:
        with subprocess.Popen([*edgectl, "start", str(NEW), *wanted, *chosen, *given]) as program:
            give_up = time.monotonic() + 60
            while not (shelf.names() and shelf.read("one").state is State.SOAKING):
                assert time.monotonic() < give_up
                assert program.poll() is None
                time.sleep(0.02)
            program.send_signal(signal.SIGKILL)
        assert shelf.read("one").lease is not None
        done = subprocess.run([*edgectl, "resume", "one", *given], check=True, capture_output=True)
        assert json.loads(done.stdout)["state"] == "completed"
        assert [len(one.history) for one in fleet.devices.values()] == [1, 1, 1]
