"""The systemd unit, as systemd reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.errors import EXIT_CONFIG
from agent.host.request import REQUEST
from agent.host.settings import FOLDER
from agent.host.told import HOME

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "edge-agent.service"
HELPERS_EXPOSURE = 26
EXPOSURE = 13
"""The most that ``systemd-analyze security`` may find, in tenths; with a camera and the network, 1.3."""


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; skip where there is none that reads files offline."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: install systemd")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.split()[1].split(".")[0].split("~")[0]) < 250:
        pytest.skip("needs systemd-analyze 250 or later, which reads unit files offline")
    command = [program, "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy whose program exists on this machine."""
    text, changed = re.subn(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    assert changed == 1
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    return copy


def _settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    done = _analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["edge-agent-host.service", "edge-agent-host.path"])
@pytest.mark.parametrize("apt", [False, True])
def test_systemd_has_nothing_to_say_against_the_helpers_units(
    tmp_path: Path, name: str, *, apt: bool
) -> None:
    _helper(tmp_path, apt=apt)
    done = _analyze("verify", "--man=no", "--recursive-errors=no", tmp_path / name)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_helpers_exposure_is_that_of_what_it_must_do(tmp_path: Path) -> None:
    unit = _helper(tmp_path)
    done = _analyze("security", "--offline=true", f"--threshold={HELPERS_EXPOSURE}", unit)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_the_helper_runs_from_the_release_that_is_proven_and_needs_no_other() -> None:
    text = (UNIT.parent / "edge-agent-host.service").read_text()
    assert "ExecStart=/opt/edge-agent-proven/bin/python -I -m agent.host.main" in text
    watched = (UNIT.parent / "edge-agent-host.path").read_text()
    assert f"PathExists={FOLDER}/{REQUEST}" in watched
    assert f"StateDirectory={Path(HOME).name}" in text


def _helper(folder: Path, *, apt: bool = False) -> Path:
    """Copy the helper's units, with programs that exist on this machine; give the service."""
    for one in UNIT.parent.glob("edge-agent-host.*"):
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", one.read_text(), flags=re.MULTILINE)
        (folder / one.name).write_text(text)
    service = folder / "edge-agent-host.service"
    if apt:
        (folder / "edge-agent-host.service.d").mkdir()
        drop_in = (UNIT.parent / "edge-agent-host-apt.conf").read_text()
        text = drop_in.replace("/usr/bin/python3", "/bin/true")
        (folder / "edge-agent-host.service.d" / "apt.conf").write_text(text)
    return service


def test_a_misspelt_setting_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    done = _analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert "WatchdogSecs" in done.stderr


def test_its_exposure_is_as_low_as_a_camera_and_a_network_allow(unit: Path) -> None:
    done = _analyze("security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_a_wrong_configuration_is_not_restarted_and_everything_else_is() -> None:
    settings = _settings()
    assert settings["Restart"] == ["always"]
    assert settings["RestartPreventExitStatus"] == [str(EXIT_CONFIG)]


def test_the_processor_stays_visible_to_the_runtime() -> None:
    # XNNPACK reads /proc/cpuinfo and /sys; without them it falls back to slow kernels.
    settings = _settings()
    assert "ProcSubset" not in settings
    assert not any("/sys" in path for path in settings.get("InaccessiblePaths", []))


def test_cameras_may_be_opened_and_other_devices_may_not() -> None:
    settings = _settings()
    assert settings["SupplementaryGroups"] == ["video"]
    assert settings["DevicePolicy"] == ["closed"]
    assert "char-video4linux rw" in settings["DeviceAllow"]
    assert settings.get("PrivateDevices", ["no"]) == ["no"]


def test_the_watchdog_waits_longer_than_a_slow_disk_and_ends_what_does_not_heed_it() -> None:
    settings = _settings()
    assert float(settings["WatchdogSec"][0]) >= 20
    assert float(settings["TimeoutAbortSec"][0]) <= 5


def test_a_stop_waits_longer_than_the_default_drain() -> None:
    from agent.config import Settings

    drain = Settings.model_fields["shutdown_drain_s"].default
    assert float(_settings()["TimeoutStopSec"][0]) > 2 * drain
