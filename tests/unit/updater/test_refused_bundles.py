"""Bundles that are refused, and by which rule; as much as can be is judged before anything large comes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from agent.manifest import entry
from agent.updater.messages import Failed, Fetched
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from tests.simulators.updated import Updated

CHUNK = 1 << 10
MODEL = bytes(range(256)) * 30
FIRST_CHUNK = f"blob/{entry('m', MODEL).sha256}/0"


@pytest.fixture
def fleet() -> TufFleet:
    found = TufFleet()
    found.add_bundle("det", "1.0.0", {"model.tflite": MODEL, "labels.txt": b"a"}, chunk_size=CHUNK)
    return found


def publish(fleet: TufFleet, path: str, **fields: object) -> None:
    """Publish a manifest, whatever it says."""
    files = [entry("model.tflite", b"x").model_dump()]
    whole = {
        "schema": 2,
        "name": "det",
        "task": "tensor",
        "license": "MIT",
        "model": "model.tflite",
        "files": files,
    }
    fleet.add_target("models", path, json.dumps(whole | fields).encode())


def test_a_bundle_larger_than_all_may_be_is_refused_for_good(device: Updated) -> None:
    device.run("det@1.0.0", max_bytes=1000)
    assert (device.failure.error, device.failure.rule) == ("BundleRefused", "requires")
    assert not [one for one in device.shelf.given if one[0] == entry("m", MODEL).sha256]


def test_without_room_on_the_disk_nothing_is_fetched(fleet: TufFleet, device: Updated) -> None:
    free = os.statvfs(device.folder.parent)
    demanded = (free.f_bavail * free.f_frsize >> 20) + 1
    total = free.f_blocks * free.f_frsize >> 20
    for asked, error in ((min(demanded, total), "DiskFull"), (total + 1, "BundleRefused")):
        fleet.add_bundle("big", "1", {"model.tflite": b"x"}, requires={"disk_mb": asked})
        device.shelf.files = fleet.files()
        device.run("big@1")
        assert device.failure.error == error
    assert not device.bundles()


@pytest.mark.parametrize(
    ("requires", "words"),
    [
        ({"agent": "99.1"}, "agent 99.1 is required"),
        ({"arch": ["pdp11"]}, "it is for pdp11"),
        ({"ram_mb": 1 << 20}, "of memory are required"),
    ],
)
def test_a_bundle_that_this_device_cannot_run_is_refused(
    requires: dict[str, object], words: str, fleet: TufFleet, device: Updated
) -> None:
    fleet.add_bundle("det", "3", {"model.tflite": b"x"}, requires=requires)
    device.shelf.files = fleet.files()
    device.run("det@3")
    assert (device.failure.error, device.failure.rule) == ("BundleRefused", "requires")
    assert words in device.failure.problem


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "other"},
        {"version": "4.0"},
        {"schema": 1},
        {"surprise": True},
        {"files": []},
        {"model": "../model.tflite"},
        {"files": [entry("a", b"1").model_dump(), entry("a/b", b"2").model_dump()], "model": "a"},
    ],
)
def test_a_signed_manifest_that_makes_no_sense_is_refused(
    fields: dict[str, object], fleet: TufFleet, device: Updated
) -> None:
    publish(fleet, "models/det/4/manifest.json", **{"version": "4", **fields})
    device.shelf.files = fleet.files()
    device.run("det@4")
    assert (device.failure.error, device.failure.rule) == ("BundleRefused", "manifest")
    assert not device.bundles()


def test_chunks_that_make_another_file_than_the_signed_one_are_refused(
    fleet: TufFleet, device: Updated
) -> None:
    wrong = entry("model.tflite", MODEL, CHUNK).model_dump() | {"sha256": "0" * 64}
    fleet.blobs["0" * 64] = fleet.blobs[entry("m", MODEL).sha256]
    publish(fleet, "models/det/5/manifest.json", version="5", files=[wrong])
    device.shelf.files = fleet.files()
    device.run("det@5")
    assert (device.failure.error, device.failure.rule) == ("BundleRefused", "manifest")


@pytest.mark.parametrize(
    ("policy", "rule", "seen"),
    [
        (b'{"v":1,"names":["other"]}', "policy.names", False),
        (b'{"v":1,"min_versions":{"det":"1.0.1"}}', "policy.min_versions", False),
        (b'{"v":1,"licenses":["MIT"]}', "policy.licenses", True),
        (b'{"v":1,"quantized_only":true}', "policy.quantized_only", True),
    ],
)
def test_policy_is_asked_before_anything_that_it_can_judge_is_fetched(
    policy: bytes, rule: str, seen: bool, fleet: TufFleet, device: Updated
) -> None:
    fleet.add_document("fleet/policy.json", policy)
    device.shelf.files = fleet.files()
    device.run("det@1.0.0")
    assert (device.failure.error, device.failure.rule) == ("BundleRefused", rule)
    manifest = fleet.roles["models"].signed.targets["models/det/1.0.0/manifest.json"]
    assert (f"blob/{manifest.hashes['sha256']}/0" in device.shelf.asked) == seen
    assert FIRST_CHUNK not in device.shelf.asked


def test_a_model_that_is_not_published_or_was_revoked_is_absent(fleet: TufFleet, device: Updated) -> None:
    device.run("nosuch@1")
    assert (device.failure.error, device.failure.name) == ("Absent", "nosuch")
    fleet.revoke("models/det/1.0.0/manifest.json")
    device.shelf.files = fleet.files()
    device.run("det@1.0.0")
    assert device.failure.error == "Absent"
    assert "revoked" in device.failure.problem


def test_one_bundle_that_fails_leaves_the_others_alone(fleet: TufFleet, device: Updated) -> None:
    fleet.add_bundle("pump", "1", {"model.tflite": b"pump"})
    device.shelf.files = fleet.files()
    del device.shelf.files[FIRST_CHUNK]
    device.run("det@1.0.0", "nosuch@1", "pump@1")
    assert [one.name for one in device.of(Fetched)] == ["pump"]
    assert [one.name for one in device.of(Failed)] == ["nosuch", "det"]
    assert len(list((device.folder / "incoming").iterdir())) == 1


def test_a_manifest_that_comes_damaged_is_not_parsed(fleet: TufFleet, device: Updated) -> None:
    manifest = fleet.roles["models"].signed.targets["models/det/1.0.0/manifest.json"]
    path = f"blob/{manifest.hashes['sha256']}/0"
    device.shelf.files[path] = device.shelf.files[path].replace(b"Apache", b"apache")
    device.run("det@1.0.0")
    assert device.failure.error == "FetchFailed"
    assert device.shelf.asked.count(path) == 3
