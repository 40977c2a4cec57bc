"""What the operator's own commands publish, the updater of a device takes: whatever happened in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.fleet.repository.repository import opened
from tests.simulators.operating import ask, make_bundle
from tests.simulators.updating import Device

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto


@pytest.fixture
def device(tmp_path: Path, edgectl: Edgectl, broker: Broker) -> Device:
    """A device that knows nothing but the first root."""
    root = (edgectl.folder / "tuf/meta/1.root.json").read_bytes()
    return Device(tmp_path / "device", root, broker.port, "default")


def test_a_device_takes_what_is_published_through_rotations_revocations_and_gc(
    edgectl: Edgectl, device: Device, shapes: Path, tmp_path: Path
) -> None:
    edgectl("publish", shapes)
    assert device.update("shapes@1.0.0").verdict == "accepted"
    for what in ("online", "models", "root"):
        edgectl("rotate", what)
    edgectl("publish", make_bundle(tmp_path / "b", "2.0.0", {"m.tflite": b"m" * 9000, "g": b"g"}, chunk=1024))
    edgectl("revoke", "shapes@1.0.0")
    edgectl("gc")
    assert device.update("shapes@2.0.0").verdict == "accepted"
    assert device.update("shapes@1.0.0").verdict != "accepted"
    for what in ("fleet", "targets", "root"):
        edgectl("rotate", what)
    edgectl("resign", "--role", "models")
    assert device.update("shapes@2.0.0").verdict == "accepted"


def test_a_device_learns_whose_desired_states_count(edgectl: Edgectl, device: Device) -> None:
    from agent.documents import keys

    for rotate in (False, True):
        edgectl(*(("rotate", "fleet") if rotate else ("resign",)))
        told = device.update()
        (verifier,) = keys.decode(told.documents[keys.TARGET].encode()).verifiers("desired")
        with opened(edgectl.folder, ask) as repository:
            assert verifier.key_id == repository.keys.control().key_id
