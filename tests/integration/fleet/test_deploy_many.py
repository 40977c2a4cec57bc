"""edgectl deploy to several devices and to groups: a real broker, and devices that report on demand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from agent.documents.desired import Maintenance, Wanted
from agent.documents.reported import Reported, SettingsStanding
from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.deploying import hearing, shown
from agent.fleet.deploying.deploy import Options, deploy
from agent.fleet.deploying.wishes import Change
from agent.fleet.inventory import Entry
from agent.fleet.repository.desired import path_of
from agent.link.settings import LinkSettings
from agent.schedules import Window
from tests.simulators import operators_folder
from tests.simulators.operators_folder import PASSPHRASE
from tests.simulators.puppet_device import puppet, standing

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
ONE = Wanted(name="shapes", version="1.0.0")
DOOR = Change("door", ONE)


def options(folder: Path, broker: Broker, change: Change, *devices: str, **more: Any) -> Options:
    settings = LinkSettings("127.0.0.1", broker.port, "edgectl-test", backoff_base_s=0.05, backoff_cap_s=0.2)
    return Options(folder, "demo", devices, change, settings, lambda: PASSPHRASE, **more)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    operators_folder.make(folder, "gate-1", "gate-2", "roof-1", models=("shapes@1.0.0",))
    for name in ("gate-1", "gate-2"):
        inventory.keep(folder, Entry(name=name, groups=("gates",)))
    return folder


@pytest.mark.parametrize("few", [250, 1])
def test_a_group_gets_it_in_one_go_and_each_devices_word_is_told(
    broker: Broker, keys: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "AT_ONCE", few)
    wanted = options(keys, broker, DOOR, groups=["gates"], wait=True, timeout_s=30)
    with (
        puppet(broker.port, "gate-1", keys) as one,
        puppet(broker.port, "gate-2", keys) as two,
        ThreadPoolExecutor(1) as pool,
    ):
        two.report(7)
        future = pool.submit(deploy, wanted)
        first, second = one.wish(), two.wish()
        assert (first.generation, second.generation) == (1, 8)
        one.report(1, door=standing(first, "door", "active"))
        two.report(8, door=standing(second, "door", "rejected", reason="golden 3 differs"))
        done = future.result(20)
    assert [(each.wish.device, each.progress.good) for each in done] == [("gate-1", True), ("gate-2", False)]
    assert shown.words(done, "door", waited=True).splitlines()[1:] == [
        "gate-2  8           rejected  golden 3 differs",
        "gate-1  1           active    -",
        "sent to 2 devices; 1 have it",
    ]
    assert not path_of(keys, "roof-1").exists()


def test_a_report_that_the_broker_dropped_is_asked_for_again(
    broker: Broker, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "AT_ONCE", 1)
    monkeypatch.setattr(hearing, "_ASK_S", 0.3)
    monkeypatch.setattr("agent.fleet.deploying.hearing.topics.sender_below", lambda *_: None)
    wanted = options(keys, broker, DOOR, groups=["gates"], wait=True, timeout_s=30)
    with (
        puppet(broker.port, "gate-1", keys) as one,
        puppet(broker.port, "gate-2", keys) as two,
        ThreadPoolExecutor(1) as pool,
    ):
        future = pool.submit(deploy, wanted)
        for device in (one, two):
            device.report(1, door=standing(device.wish(), "door", "active"))
        assert all(each.progress.good for each in future.result(20))


def test_settings_and_the_window_go_without_a_model_and_stay_when_a_model_comes(
    broker: Broker, keys: Path
) -> None:
    window = Maintenance(windows=(Window(begin="02:00", end="04:00"),), zone="Europe/Berlin")
    change = Change(overrides={"pipelines.door.max_rate": 2}, maintenance=window)
    wanted = options(keys, broker, change, "gate-1", wait=True, timeout_s=30)
    with puppet(broker.port, "gate-1", keys) as device, ThreadPoolExecutor(1) as pool:
        future = pool.submit(deploy, wanted)
        wish = device.wish()
        assert (wish.models, wish.overrides, wish.maintenance) == ({}, change.overrides, window)
        in_force = SettingsStanding(state="active", generation=1, overrides=("pipelines.door.max_rate",))
        said: dict[str, Any] = {
            "fleet": "demo",
            "device": "gate-1",
            "generation": 1,
            "at": 1,
            "pipelines": {},
        }
        device.say(Reported(**said, settings=SettingsStanding(state="waiting", generation=1)))
        device.say(Reported(**said, settings=in_force))
        [done] = future.result(20)
    assert (done.progress.state, done.progress.good) == ("active", True)
    [later] = deploy(options(keys, broker, DOOR, "gate-1"))
    assert (later.wish.overrides, later.wish.maintenance) == (change.overrides, window)
    [free] = deploy(options(keys, broker, Change(unset=["pipelines.door.max_rate"], any_time=True), "gate-1"))
    assert (free.wish.models, free.wish.overrides, free.wish.maintenance) == ({"door": ONE}, {}, None)


def test_a_setting_of_a_pipeline_that_the_device_does_not_have_is_told_with_the_way_out(
    broker: Broker, keys: Path
) -> None:
    with puppet(broker.port, "gate-1", keys) as device, ThreadPoolExecutor(1) as pool:
        future = pool.submit(deploy, options(keys, broker, DOOR, "gate-1", wait=True, timeout_s=30))
        wish = device.wish()
        device.report(wish.generation, door=standing(wish, "door", "active"))
        future.result(20)
        [found] = deploy(options(keys, broker, Change(overrides={"pipelines.dor.max_rate": 2}), "gate-1"))
        [later] = deploy(options(keys, broker, Change(unset=["pipelines.dor.max_rate"]), "gate-1"))
    note = "the device has no pipeline dor, but: door. Take it away: --unset pipelines.dor.max_rate"
    assert (found.notes, later.notes) == ((note,), ())


def test_nobody_or_a_group_without_devices_is_told(broker: Broker, keys: Path) -> None:
    with pytest.raises(ConfigInvalid, match="none is meant"):
        deploy(options(keys, broker, DOOR))
    with pytest.raises(ConfigInvalid, match="yards: no device is in this group"):
        deploy(options(keys, broker, DOOR, groups=["yards"]))
