"""The operator's commands and a real agent, over a real broker: there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.fleet import inventory
from agent.fleet.commanding import commander
from agent.fleet.inventory import Entry
from agent.fleet.keys import make_keys
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto
TABLES = """\
[device]
id = "gate-1"
groups = ["gates"]
[mqtt]
host = "127.0.0.1"
port = {port}
[trust]
device_key = "{keys}/devices/gate-1.key"
collector_key = "{keys}/collector.pub"
[models]
root = "{keys}/tuf/meta/1.root.json"
[metrics]
vitals_s = 1.0
"""


def test_an_agent_does_what_its_operator_signs_and_tells_how_it_does(
    broker: Broker,
    edgectl: Edgectl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(commander, "_AGAIN_S", 0.5)
    make_keys(edgectl.folder, ["gate-1"])
    inventory.keep(edgectl.folder, Entry(name="gate-1", groups=("gates",)))
    edgectl("heal")
    (tmp_path / "agent").mkdir()
    tables = TABLES.format(port=broker.port, keys=edgectl.folder)
    with RunningAgent(tmp_path / "agent", more=tables) as agent:
        agent.until_inferred()
        before = agent.worker
        bare = edgectl("command", "gate-1", "ping", "--bare", "--timeout", "30")
        assert bare["devices"]["gate-1"]["result"]["device"] == "gate-1"
        group = edgectl("command", "--group", "gates", "restart", "pipeline=door", "--timeout", "30")
        assert group["devices"]["gate-1"]["state"] == "done", group
        agent.until(lambda one: one["pid"] not in {None, 0, before})
        failed = edgectl("command", "gate-1", "restart", "pipeline=yard", "--timeout", "30")
        assert failed["devices"]["gate-1"]["state"] == "failed"
        status = edgectl("command", "gate-1", "status", "--timeout", "30")["devices"]["gate-1"]["result"]
        assert [one["name"] for one in status["pipelines"]] == ["door"]
        seen = edgectl("status")["devices"]["gate-1"]
        assert (seen["online"], seen["version"]) == (True, status["version"])
        assert edgectl.code("logs", "gate-1", "-n", "3", "--timeout", "30") == 0
        assert 1 <= len(capsys.readouterr().out.splitlines()) <= 3
        names = edgectl("command", "gate-1", "diagnostics", "--out", tmp_path / "out", "--timeout", "60")
        [path] = names["devices"]["gate-1"]["files"]
        assert path.endswith(".tar.gz")
        assert agent.end() == 0
