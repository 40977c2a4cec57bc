"""The clock of a device that may have none: expiry is checked against what has been signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from agent import BUILT
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updated import Updated

if TYPE_CHECKING:
    from pathlib import Path


def test_expired_metadata_is_refused_by_a_right_clock(tmp_path: Path) -> None:
    fleet = TufFleet(datetime.now(UTC) - timedelta(days=15))
    device = Updated(tmp_path / "models", fleet.root, fleet.files())
    device.run()
    assert device.failure.error == "MetadataRefused"
    assert device.failure.subject == "timestamp"
    assert "expired" in device.failure.problem
    assert "edgectl resign" in device.failure.hint


def test_with_a_clock_behind_its_floor_expiry_is_checked_against_the_floor(
    fleet: TufFleet, device: Updated
) -> None:
    later = int((fleet.now + timedelta(days=13)).timestamp())
    device.floors = {"clock": later}
    device.run("det@1.0.0")
    assert device.fetched.digest
    device.floors = {"clock": later + 2 * 86400}
    device.run("det@1.0.0")
    assert (device.failure.error, device.failure.subject) == ("MetadataRefused", "timestamp")
    assert "clock runs behind" in device.failure.problem


def test_the_roles_that_vouch_for_bundles_and_documents_expire_by_the_floor_too(
    fleet: TufFleet, device: Updated
) -> None:
    fleet.days["models"] = 3
    fleet.sign("models")
    device.see(fleet)
    device.floors = {"clock": int((fleet.now + timedelta(days=5)).timestamp())}
    device.run("det@1.0.0")
    assert (device.failure.error, device.failure.subject) == ("MetadataRefused", "models")
    fleet.days["fleet"] = 3
    fleet.sign("fleet")
    device.see(fleet)
    device.run("det@1.0.0")
    assert (device.failure.error, device.failure.subject) == ("MetadataRefused", "fleet")


def test_the_floor_of_the_clock_is_what_was_signed_and_never_the_wall_clock(tmp_path: Path) -> None:
    fleet = TufFleet(datetime.now(UTC) - timedelta(days=3))
    device = Updated(tmp_path / "models", fleet.root, fleet.files())
    device.run()
    clocks = {n for name, n in device.floors.items() if "clock" in name}
    assert clocks == {int(fleet.now.timestamp())}
    assert min(clocks) > BUILT


@pytest.mark.parametrize("lie", [-1, 1 << 60, "soon", None, True])
def test_a_time_of_issue_that_makes_no_sense_counts_for_nothing(
    lie: object, fleet: TufFleet, tmp_path: Path
) -> None:
    for role in ("snapshot", "timestamp"):
        metadata = fleet.roles[role]
        metadata.signed.unrecognized_fields["x_issued"] = lie
        metadata.signatures.clear()
        metadata.sign(fleet.keys["online"])
        fleet.meta[fleet.name(role).removeprefix("meta/")] = metadata.to_bytes()
    timestamp = fleet.roles["timestamp"]
    timestamp.signed.snapshot_meta.hashes = timestamp.signed.snapshot_meta.length = None
    timestamp.signatures.clear()
    timestamp.sign(fleet.keys["online"])
    fleet.meta["timestamp.json"] = timestamp.to_bytes()
    device = Updated(tmp_path / "models", fleet.root, fleet.files())
    device.run()
    assert min(floor for name, floor in device.floors.items() if name.startswith("tuf/clock/")) == BUILT


def test_new_keys_of_a_role_heal_a_clock_that_a_thief_has_driven_far_ahead(
    fleet: TufFleet, device: Updated
) -> None:
    device.run("det@1.0.0")
    honest, fleet.now = fleet.now, fleet.now + timedelta(seconds=10**9)
    fleet.publish("models")
    fleet.now = honest
    fleet.sign()
    device.see(fleet)
    device.run("det@1.0.0")
    assert "clock runs behind" in device.failure.problem
    fleet.rotate("models")
    device.see(fleet)
    device.run("det@1.0.0")
    assert device.fetched.digest
