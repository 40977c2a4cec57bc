"""A fleet, and a device that updates itself from what it publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updated import Updated

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fleet() -> TufFleet:
    """One model of one small file; modules that need others make their own."""
    found = TufFleet()
    found.add_bundle("det", "1.0.0", {"model.tflite": b"one"})
    return found


@pytest.fixture
def device(fleet: TufFleet, tmp_path: Path) -> Updated:
    """A device that knows the fleet's first root."""
    return Updated(tmp_path / "models", fleet.root, fleet.files())
