"""edgectl models, and both programs as they are started, against a real broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.documents.desired import Desired, Wanted
from agent.documents.reported import Metadata, Reported
from agent.fleet.looking import models
from agent.link.settings import LinkSettings
from tests.simulators import operators_folder
from tests.simulators.operators_folder import PASSPHRASE
from tests.simulators.puppet_device import puppet, standing

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
ONE = Wanted(name="shapes", version="1.0.0")


def settings(broker: Broker) -> LinkSettings:
    return LinkSettings("127.0.0.1", broker.port, "edgectl-test", backoff_base_s=0.05, backoff_cap_s=0.2)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    operators_folder.make(tmp_path / "keys", "gate-1", "gate-2", models=("shapes@1.1.0",))
    return tmp_path / "keys"


def test_what_the_fleet_runs_is_shown_as_far_as_it_is_proved(broker: Broker, keys: Path) -> None:
    wish = Desired(fleet="demo", device="gate-1", generation=3, models={"door": ONE})
    pipelines = {"door": standing(wish, "door", "downloading", progress=(1, 4), reason="no\x1b[2J\nlink")}
    with puppet(broker.port, "gate-1", keys) as device, puppet(broker.port, "gate-2", None) as other:
        device.say(
            Reported(
                fleet="demo",
                device="gate-1",
                generation=3,
                at=100,
                synced=True,
                pipelines=pipelines,
                metadata=Metadata(root=1, timestamp=2, expires=100 + 86_400),
            )
        )
        other.report(1)
    found = models.look(keys, "demo", "", settings(broker), unsigned=False)
    head, first, second = models.table(found, 100.0)
    assert head.split()[:3] == ["DEVICE", "PIPELINE", "SERVES"]
    assert " ".join(first.split()) == (
        "gate-1 door - shapes@1.0.0 downloading 25% set 1.0 d left no\N{REPLACEMENT CHARACTER}[2J"
        "\N{REPLACEMENT CHARACTER}link"
    )
    assert " ".join(second.split()) == "gate-2 - - - unknown - - it is not signed"
    body = models.as_json(found, 160.0)["devices"]
    assert (body["gate-1"]["age_s"], body["gate-1"]["reported"]["generation"]) == (60, 3)
    assert body["gate-2"] == {"reported": None, "problem": "it is not signed"}
    [trusted] = models.look(keys, "demo", "gate-2", settings(broker), unsigned=True)
    assert trusted.reported is not None


def test_the_programs_say_it_as_json_and_by_their_exit_code(broker: Broker, keys: Path) -> None:
    command = [sys.executable, "-m", "agent.fleet.main"]
    where = ["--dir", str(keys), "--fleet", "demo", "--port", str(broker.port), "--json"]
    environment = {**os.environ, "EDGECTL_PASSPHRASE": PASSPHRASE}
    words = ["deploy", "gate-1", "shapes@1.1.0", "--pipeline", "door", "--wait", *where]
    with puppet(broker.port, "gate-1", keys) as device:
        with subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as program:
            wish = device.wish()
            device.report(1, door=standing(wish, "door", "rejected", reason="too slow"))
            out, err = program.communicate(timeout=60)
        assert (program.returncode, err) == (1, "")
    told = json.loads(out)
    assert (told["model"], told["state"], told["reason"]) == ("shapes@1.1.0", "rejected", "too slow")
    done = subprocess.run([*command, "models", *where], capture_output=True, text=True, check=True)
    assert (
        json.loads(done.stdout)["devices"]["gate-1"]["reported"]["pipelines"]["door"]["state"] == "rejected"
    )
    wrong = subprocess.run(
        [*command, "deploy", "gate-1", "shapes", "--pipeline", "door", *where],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert wrong.returncode == 78
    assert wrong.stderr.startswith("edgectl: deploy 'shapes': it names no model and version. Write ")
