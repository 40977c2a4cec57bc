"""edgectl rollout against a real broker, and devices that do with the model what the test says."""

from __future__ import annotations

import json
import threading
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from agent.documents.desired import Desired
from agent.errors import AgentError, ConfigInvalid, Retryable
from agent.fleet import inventory
from agent.fleet.commands import app
from agent.fleet.inventory import Entry
from agent.fleet.repository import desired
from agent.fleet.rollouts import ground
from agent.fleet.rollouts.ground import Place
from agent.fleet.rollouts.live import LiveFleet
from agent.fleet.rollouts.shelf import Shelf
from agent.fleet.rollouts.table import State
from agent.link.settings import LinkSettings
from tests.simulators import operators_folder
from tests.simulators.paper_fleet import NEW, OLD, Mood
from tests.simulators.puppet_device import puppet
from tests.simulators.puppet_fleet import puppets

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
NAMES = [f"d{number}" for number in range(10)]
COMMAND = typer.main.get_command(app)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGECTL_PASSPHRASE", operators_folder.PASSPHRASE)
    folder = tmp_path / "keys"
    operators_folder.make(folder, *NAMES, models=(str(OLD), str(NEW)))
    for name in NAMES:
        inventory.keep(folder, Entry(name=name, groups=("gates",)))
    return folder


def settings(broker: Broker, name: str) -> LinkSettings:
    return LinkSettings("127.0.0.1", broker.port, name, backoff_base_s=0.05, backoff_cap_s=0.2)


def edgectl(*words: str) -> tuple[int, Any]:
    """Run a verb of edgectl rollout; give its exit code and its last JSON."""
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        code = COMMAND.main(["rollout", *words], prog_name="edgectl", standalone_mode=False)
    lines = out.getvalue().splitlines()
    return code or 0, json.loads(lines[-1]) if lines else None


def start(keys: Path, broker: Broker, *words: str) -> tuple[int, Any]:
    given = ["--dir", str(keys), "--host", "127.0.0.1", "--port", str(broker.port), "--fleet", "demo"]
    given += ["--pipelines", "door", "--group", "gates", "--json", "--soak", "0s", "--name", "one"]
    return edgectl("start", str(NEW), *given, *words)


def moods(**others: Mood) -> dict[str, Mood]:
    return {name: others.get(name, "good") for name in NAMES}


def test_ten_good_devices_get_the_model_in_four_waves(broker: Broker, keys: Path) -> None:
    with puppets(moods(), keys, broker.port) as fleet:
        code, said = start(keys, broker, "--waves", "1,30%,60%,100%", "--abort", "p95 > 1.3x", "--watch")
        assert (code, said["state"], said["wave"]) == (0, "completed", 4)
        assert [wave["devices"] for wave in said["waves"]] == [1, 2, 3, 4]
        assert fleet.wanting() == set(NAMES)
        assert all(len(one.history) == 1 for one in fleet.devices.values())
    assert Shelf(keys).read("one").lease is None
    assert edgectl("list", "--dir", str(keys), "--json")[1]["rollouts"][0]["state"] == "completed"


def test_a_bad_model_never_becomes_active_and_reaches_the_first_wave_only(broker: Broker, keys: Path) -> None:
    bad: dict[str, Mood] = dict.fromkeys(NAMES, "rolls back")
    with puppets(bad, keys, broker.port) as fleet:
        code, said = start(keys, broker, "--max-fail", "20%")
        assert (code, said["state"], said["wave"]) == (4, "aborted", 1)
        told = [name for name, one in fleet.devices.items() if one.history]
        assert len(told) == 1
        assert fleet.wanting(OLD) == set(NAMES)
        assert all(one.served == {OLD} for one in fleet.devices.values())


@pytest.mark.parametrize(("share", "code"), [("5%", 4), ("20%", 0)])
def test_one_bad_device_of_ten_halts_or_completes_as_the_limit_says(
    broker: Broker, keys: Path, share: str, code: int
) -> None:
    with puppets(moods(d3="rejects"), keys, broker.port) as fleet:
        seed = ["--seed", "1"]
        ended, said = start(keys, broker, "--waves", "1,100%", "--max-fail", share, *seed)
        assert ended == code
        assert said["devices"]["d3"]["verdict"] == "failed"
        assert said["devices"]["d3"]["wave"] == 2
        assert len(fleet.wanting(OLD)) == (10 if code else 0)


def test_it_is_paused_and_taken_up_from_elsewhere(broker: Broker, keys: Path) -> None:
    with puppets(moods(), keys, broker.port) as fleet:
        ends: list[tuple[int, Any]] = []
        shelf = Shelf(keys)
        given = ("--waves", "1,100%", "--soak", "1h")
        edgectl_start = threading.Thread(target=lambda: ends.append(start(keys, broker, *given)))
        edgectl_start.start()
        while not (shelf.names() and shelf.read("one").state is State.SOAKING):
            edgectl_start.join(0.05)
        with pytest.raises(AgentError, match="works on it already"):
            edgectl("resume", "one", "--dir", str(keys), "--port", str(broker.port))
        with pytest.raises(ConfigInvalid, match="there is one of this name"):
            start(keys, broker)
        code = edgectl("pause", "one", "--dir", str(keys), "--json")[0]
        edgectl_start.join()
        assert (code, ends[0][0]) == (0, 5)
        assert len(fleet.wanting()) == 1
        code, said = edgectl("abort", "one", "--dir", str(keys), "--port", str(broker.port), "--json")
        assert (code, said["state"]) == (0, "aborted")
        assert fleet.wanting(OLD) == set(NAMES)


def test_a_dry_run_names_who_cannot_take_part_and_changes_nothing(broker: Broker, keys: Path) -> None:
    with puppets(dict.fromkeys(NAMES[:9], "good"), keys, broker.port) as fleet:
        code, said = start(keys, broker, "--dry-run", "--waves", "1,100%")
        assert (code, said["state"], said["unknown"]) == (0, "planned", ["d9"])
        with pytest.raises(ConfigInvalid, match="1 of 10 devices cannot take part; d9: it has reported"):
            start(keys, broker, "--strict")
        with pytest.raises(ConfigInvalid, match="no device says its p50 now"):
            start(keys, broker, "--abort", "p50 > 2x")
        assert not Shelf(keys).names()
        assert not fleet.wanting()


def test_what_was_deployed_meanwhile_is_not_written_over(broker: Broker, keys: Path) -> None:
    place = Place(keys, "demo", settings(broker, "look"), lambda: operators_folder.PASSPHRASE)
    with LiveFleet(place, ["d0"], ground.keys(place)) as live:
        first = Desired(fleet="demo", device="d0", generation=5, models={"door": OLD})
        live.publish([first])
        assert live.latest(["d0"]) == {"d0": first}
        theirs = first.model_copy(update={"generation": 6, "overrides": {"log.level": "debug"}})
        assert live.keys
        desired.keep(keys, theirs, live.keys.signer)
        ours = first.model_copy(update={"generation": 6, "models": {"door": NEW}})
        with pytest.raises(Retryable, match="generation 6 was published for it meanwhile"):
            live.publish([ours])
        assert desired.sent(keys, "demo", "d0") == theirs
        live.publish([live.latest(["d0"])["d0"]])


def test_a_report_that_is_forged_or_played_back_moves_nothing(broker: Broker, keys: Path) -> None:
    place = Place(keys, "demo", settings(broker, "look"), lambda: operators_folder.PASSPHRASE)
    with puppet(broker.port, "d0", keys) as device, puppet(broker.port, "d1", None) as stranger:
        device.report(5)
        with LiveFleet(place, ["d0", "d1"]) as live:
            assert live.view.reports["d0"].generation == 5
            device.report(4)
            device.report(6)
            stranger.report(9)
            while live.view.reports["d0"].generation != 6 or "d1" not in live.refused:
                live.look(5)
            assert live.refused["d0"] == "it is older than the last one"
            assert "d1" not in live.view.reports
