"""The systemd unit, as systemd reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.errors import EXIT_CONFIG
from agent.host.orders import FETCH, TRY, answer_of
from agent.host.orders import HOME as ORDERS
from agent.host.request import REQUEST
from agent.host.settings import FOLDER
from agent.host.told import HOME

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "edge-agent.service"
HELPERS = ("edge-agent-host.service", "edge-agent-fetch.service", "edge-agent-try.service")
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


def _settings(name: str = UNIT.name) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    text = (UNIT.parent / name).read_text()
    for line in text[
        text.index("[Service]") : text.index("[Install]") if "[Install]" in text else None
    ].splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    done = _analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["edge-agent-host.path", *HELPERS])
@pytest.mark.parametrize("apt", [False, True])
def test_systemd_has_nothing_to_say_against_the_helpers_units(
    tmp_path: Path, name: str, *, apt: bool
) -> None:
    _helper(tmp_path, apt=apt)
    done = _analyze("verify", "--man=no", "--recursive-errors=no", tmp_path / name)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", HELPERS)
def test_the_helpers_exposure_is_no_greater_than_the_agents(tmp_path: Path, name: str) -> None:
    _helper(tmp_path)
    done = _analyze("security", "--offline=true", f"--threshold={EXPOSURE}", tmp_path / name)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_a_new_release_is_tried_in_the_very_sandbox_of_the_agent() -> None:
    agent, trial = _settings(), _settings("edge-agent-try.service")
    of_its_own = {"Type", "ExecStart", "StandardOutput", "StandardError", "TimeoutStartSec", "TimeoutStopSec"}
    assert trial.pop("User") == [UNIT.stem], "the name of a dynamic user is that of the unit"
    # What makes a service of the agent; its folder in /run would go with the trial's end.
    of_the_agent = {name for name in agent if name.startswith(("Restart", "Runtime", "Exec", "Timeout"))}
    of_the_agent -= {"RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"}
    of_the_agent |= {"Type", "NotifyAccess", "WatchdogSec", "KillMode"}
    assert {name: trial[name] for name in trial.keys() - of_its_own} == {
        name: agent[name] for name in agent.keys() - of_the_agent
    }


def test_the_helper_runs_from_the_release_that_is_proven_and_needs_no_other() -> None:
    text = (UNIT.parent / "edge-agent-host.service").read_text()
    assert "ExecStart=/opt/edge-agent-proven/bin/python -I -m agent.host.main" in text
    watched = (UNIT.parent / "edge-agent-host.path").read_text()
    assert f"PathExists={FOLDER}/{REQUEST}" in watched
    for line in (f"StateDirectory={Path(HOME).name}", f"RuntimeDirectory={Path(ORDERS).name}"):
        assert line in text
    for unit in (FETCH, TRY):
        text = (UNIT.parent / f"{unit}.service").read_text()
        assert f"ExecStart=/opt/edge-agent-proven/bin/python -I -m agent.host.ordered {unit}\n" in text
        assert f"StandardOutput=truncate:{ORDERS}/{answer_of(unit)}\n" in text


def _helper(folder: Path, *, apt: bool = False) -> Path:
    """Copy the helper's units, with programs that exist on this machine; give the service."""
    for one in (UNIT.parent / name for name in ("edge-agent-host.path", *HELPERS)):
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", one.read_text(), flags=re.MULTILINE)
        (folder / one.name).write_text(text)
    service = folder / "edge-agent-host.service"
    if apt:
        (folder / "edge-agent-host.service.d").mkdir()
        drop_in = (UNIT.parent / "edge-agent-host-apt.conf").read_text()
        (folder / "edge-agent-host.service.d" / "apt.conf").write_text(drop_in)
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
