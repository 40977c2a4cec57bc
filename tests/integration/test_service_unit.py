"""The agent's unit, as systemd reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import EXIT_CONFIG
from tests.simulators.unit_files import exposure, runnable, settings

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "edge-agent.service"
EXPOSURE = 13
"""The most that ``systemd-analyze security`` may find, in tenths; with a camera and the network, 1.3."""


def test_its_exposure_is_as_low_as_a_camera_and_a_network_allow(tmp_path: Path) -> None:
    assert exposure(runnable(UNIT, tmp_path)) <= EXPOSURE


def test_a_wrong_configuration_is_not_restarted_and_everything_else_is() -> None:
    unit = settings(UNIT)
    assert unit["Restart"] == ["always"]
    assert unit["RestartPreventExitStatus"] == [str(EXIT_CONFIG)]


def test_the_processor_stays_visible_to_the_runtime() -> None:
    # XNNPACK reads /proc/cpuinfo and /sys; without them it falls back to slow kernels.
    unit = settings(UNIT)
    assert "ProcSubset" not in unit
    assert not any("/sys" in path for path in unit.get("InaccessiblePaths", []))


def test_cameras_may_be_opened_and_other_devices_may_not() -> None:
    unit = settings(UNIT)
    assert unit["SupplementaryGroups"] == ["video"]
    assert unit["DevicePolicy"] == ["closed"]
    assert "char-video4linux rw" in unit["DeviceAllow"]
    assert unit.get("PrivateDevices", ["no"]) == ["no"]


def test_the_watchdog_waits_longer_than_a_slow_disk_and_ends_what_does_not_heed_it() -> None:
    unit = settings(UNIT)
    assert float(unit["WatchdogSec"][0]) >= 20
    assert float(unit["TimeoutAbortSec"][0]) <= 5


def test_a_stop_waits_longer_than_the_default_drain() -> None:
    from agent.config.settings import Settings

    drain = Settings.model_fields["shutdown_drain_s"].default
    assert float(settings(UNIT)["TimeoutStopSec"][0]) > 2 * drain
