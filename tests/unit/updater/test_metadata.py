"""The update metadata: what is forged, replayed or expired is refused, also where python-tuf cannot know."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from agent.updater.messages import Brought, Done, Fetched, Refreshed
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updated import Updated

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_published_is_proved_and_its_versions_become_floors(fleet: TufFleet, device: Updated) -> None:
    device.run()
    [refreshed] = device.of(Refreshed)
    assert (refreshed.root, refreshed.timestamp) == (1, fleet.version("timestamp"))
    assert refreshed.expires == int((fleet.now + timedelta(days=14)).timestamp())
    roles = {name.split("/")[1]: floor for name, floor in refreshed.floors.items() if name.startswith("tuf/")}
    assert {
        name: roles[name] for name in ("root", "timestamp", "snapshot", "targets", "models", "fleet")
    } == {
        name: fleet.version(name) for name in ("root", "timestamp", "snapshot", "targets", "models", "fleet")
    }
    assert refreshed.floors["clock"] == int(fleet.now.timestamp())
    assert isinstance(device.said[-1], Done)


def test_an_old_timestamp_is_refused_though_the_proved_files_are_lost(
    fleet: TufFleet, device: Updated
) -> None:
    old = fleet.files()
    fleet.resign()
    device.see(fleet)
    device.run()
    device.shelf.files = old
    device.run()
    assert (device.failure.error, device.failure.name) == ("MetadataRefused", "")
    shutil.rmtree(device.folder / "tuf")
    device.run("det@1.0.0")
    assert device.failure.error == "MetadataRefused"
    assert "this device has seen" in device.failure.problem
    assert "edgectl heal" in device.failure.hint
    assert not device.of(Fetched)


def test_a_device_that_is_given_another_fleets_root_begins_anew_and_is_rolled_back_in_neither(
    fleet: TufFleet, device: Updated
) -> None:
    first = fleet.files()
    fleet.rotate("root")
    fleet.rotate("root")
    device.see(fleet)
    device.run()
    assert device.of(Refreshed)[0].root == 3
    device.floors["tuf/root"] = 3  # as an earlier release has kept it
    other = TufFleet()
    other.add_bundle("det", "2.0.0", {"model.tflite": b"two"})
    device.root = other.root
    device.see(other)
    device.run("det@2.0.0")
    assert device.fetched.digest
    device.root = fleet.root
    shutil.rmtree(device.folder / "tuf")
    device.shelf.files = first
    device.run()
    assert "version 1 is offered, and this device has seen 3" in device.failure.problem


def test_the_floor_that_an_earlier_release_kept_of_the_root_counts_until_there_is_another(
    fleet: TufFleet, device: Updated
) -> None:
    device.floors = {"tuf/root": 2}
    device.run()
    assert "version 1 is offered, and this device has seen 2" in device.failure.problem
    fleet.rotate("root")
    device.see(fleet)
    device.run()
    assert device.of(Refreshed)[0].root == 2


@pytest.mark.parametrize("role", ["models", "fleet", "targets"])
def test_an_old_version_of_any_role_is_refused_after_its_files_are_lost(
    role: str, fleet: TufFleet, device: Updated
) -> None:
    thief = fleet.stolen("online")
    fleet.sign(role)
    device.see(fleet)
    device.run()
    shutil.rmtree(device.folder / "tuf")
    thief.fast_forward(50)  # newer than all that was seen, with the old role in it
    device.see(thief)
    device.run("det@1.0.0")
    assert device.failure.error == "MetadataRefused"
    assert device.failure.subject == role


def test_new_online_keys_heal_a_device_that_a_thief_has_driven_far_ahead(
    fleet: TufFleet, device: Updated
) -> None:
    device.run()
    thief = fleet.stolen("online")
    thief.now += timedelta(days=300)  # as far as the offline keys' metadata lets the clock go
    thief.fast_forward(999_999)
    device.see(thief)
    device.run("det@1.0.0")
    assert device.fetched.digest
    fleet.resign()
    device.see(fleet)
    device.run("det@1.0.0")
    assert device.failure.error == "MetadataRefused"
    fleet.rotate("online")
    device.see(fleet)
    device.run("det@1.0.0")
    assert device.fetched.digest


@pytest.mark.parametrize("what", ["root", "online", "targets", "models", "fleet"])
def test_a_device_follows_every_rotation_with_and_without_a_hint(
    what: str, fleet: TufFleet, device: Updated
) -> None:
    device.run()
    fleet.rotate(what)
    fleet.rotate(what)
    device.see(fleet)
    del device.shelf.files["hint"]
    device.run("det@1.0.0")
    assert device.fetched.digest
    fleet.rotate(what)
    device.see(fleet)
    device.run("det@1.0.0")
    assert device.fetched.digest
    assert device.of(Refreshed)[0].root == fleet.version("root")


def test_a_hint_saves_asking_for_a_root_that_is_not_there(device: Updated) -> None:
    device.run()
    assert "meta/2.root.json" not in device.shelf.asked


@pytest.mark.parametrize(
    "hint", [b'{"v":1,"root":1}', b"[]", b"\xff", b'{"v":1,"root":true}', b'{"v":1,"root":0}']
)
def test_a_hint_that_lies_does_not_hurt(hint: bytes, fleet: TufFleet, device: Updated) -> None:
    fleet.rotate("online")
    device.see(fleet)
    device.shelf.files["hint"] = hint
    device.run("det@1.0.0")
    assert device.fetched.digest
    assert device.of(Refreshed)[0].root == 2


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "1.targets.json", "2.models.json"])
def test_what_is_not_there_is_told_by_its_name(name: str, fleet: TufFleet, device: Updated) -> None:
    role = name.split(".")[-2]
    names = [one for one in device.shelf.files if one.endswith((f".{role}.json", f"/{role}.json"))]
    for one in names:
        del device.shelf.files[one]
    device.run("det@1.0.0")
    assert device.failure.error == "Absent"
    assert role in device.failure.subject
    assert "edgectl heal" in device.failure.hint


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "models", "fleet", "root"])
def test_metadata_larger_than_its_role_may_be_is_not_taken(
    role: str, fleet: TufFleet, device: Updated
) -> None:
    if role == "root":
        fleet.rotate("root")
        device.see(fleet)
    device.shelf.files[fleet.name(role)] += b" " * (256 << 10)
    device.run("det@1.0.0")
    assert device.failure.error == "FetchFailed"


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "models", "fleet"])
def test_wrong_keys_are_refused(role: str, fleet: TufFleet, device: Updated) -> None:
    device.run()
    thief = fleet.stolen(*(["online"] if role in ("targets", "models", "fleet") else []))
    thief.sign(*([role] if role in ("targets", "models", "fleet") else []))
    device.see(thief)
    if role == "snapshot":
        device.shelf.files["meta/timestamp.json"] = fleet.files()["meta/timestamp.json"]
    device.run("det@1.0.0")
    if role == "snapshot":  # what is signed by nobody is not even asked for
        assert device.fetched.digest
    else:
        assert device.failure.error == "MetadataRefused"
        assert device.failure.subject == role


def test_a_root_that_one_of_two_has_signed_is_refused(fleet: TufFleet, device: Updated) -> None:
    fleet.rotate("online")
    device.see(fleet)
    forged = orjson.loads(fleet.meta["2.root.json"])
    forged["signatures"] = forged["signatures"][:1]
    device.shelf.files["meta/2.root.json"] = orjson.dumps(forged)
    device.run("det@1.0.0")
    assert device.failure.error == "MetadataRefused"
    assert device.failure.subject == "root"


def test_with_expired_models_documents_still_come_and_bundles_do_not(tmp_path: Path) -> None:
    fleet = TufFleet()
    fleet.days["models"] = -1
    fleet.add_bundle("det", "1.0.0", {"model.tflite": b"one"})
    device = Updated(tmp_path / "models", fleet.root, fleet.files())
    device.run("det@1.0.0")
    assert [one.name for one in device.of(Brought)] == ["fleet/keys.json", "fleet/policy.json"]
    assert (device.failure.error, device.failure.name) == ("MetadataRefused", "det")
    device.run()
    assert (device.failure.error, device.failure.name) == ("MetadataRefused", "")


def test_without_a_proved_policy_nothing_is_fetched(fleet: TufFleet, device: Updated) -> None:
    sha256 = fleet.add_document("fleet/policy.json", b'{"v":1,"names":["other"]}')
    device.see(fleet)
    del device.shelf.files[f"blob/{sha256}/0"]
    device.run("det@1.0.0", policy='{"v":1}')
    assert (device.failure.error, device.failure.name) == ("Absent", "")
    assert device.of(Refreshed)
    assert not device.bundles()


def test_torn_files_of_a_power_cut_are_fetched_again(fleet: TufFleet, device: Updated) -> None:
    fleet.rotate("online")
    device.see(fleet)
    device.run("det@1.0.0")
    for path in (device.folder / "tuf").rglob("*.json"):
        if not path.is_symlink():
            path.write_bytes(path.read_bytes()[:100])
    device.run("det@1.0.0")
    assert device.fetched.digest


def test_what_the_disk_gives_back_is_proved_once_more(
    fleet: TufFleet, device: Updated, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = fleet.stolen()
    forged.fast_forward(999)
    get = device.shelf.get
    del device.shelf.files["hint"]  # or it would look a second time, and heal

    def meddle(path: str, most: int) -> bytes:
        if path.endswith(".targets.json"):
            (device.folder / "tuf" / "timestamp.json").write_bytes(forged.meta["timestamp.json"])
        return get(path, most)

    monkeypatch.setattr(device.shelf, "get", meddle)
    device.run("det@1.0.0")
    assert (device.failure.error, device.failure.subject) == ("MetadataRefused", "timestamp")
    assert not device.floors


def test_a_root_that_is_none_is_told(device: Updated) -> None:
    device.root = b"{}"
    device.run()
    assert device.failure.error == "MetadataRefused"
