"""Every unit but the helper's, with every drop-in, as systemd reads them, and docs/hardware.md."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.installing.families import FAMILIES
from tests.simulators.unit_files import SYSTEMD, complaints, exposure, runnable, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENT = "edge-agent.service"
UNITS = sorted(
    path.name
    for kind in ("service", "timer", "path")
    for path in SYSTEMD.glob(f"*.{kind}")
    if not path.name.startswith("edge-agent-")
)
# What `systemd-analyze security` may find of each, in tenths.
MOST = {"edgectl-collect.service": 11, "edgectl-resign.service": 11}
FAMILY = [one.name for one in FAMILIES]


def copy(folder: Path, *families: str) -> Path:
    """Copy all units, with programs that exist here, and drop-ins of the agent's; give the folder."""
    for name in UNITS:
        runnable(name, folder)
    drop_ins = folder / f"{AGENT}.d"
    drop_ins.mkdir(exist_ok=True)
    for family in families:
        shutil.copy(SYSTEMD / f"edge-agent-{family}.conf", drop_ins)
    return folder


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say_against_a_unit_with_all_its_drop_ins(tmp_path: Path, unit: str) -> None:
    assert complaints(copy(tmp_path, *FAMILY) / unit) == ""


def test_a_misspelt_setting_of_a_drop_in_would_be_seen(tmp_path: Path) -> None:
    wrong = copy(tmp_path, "can") / f"{AGENT}.d" / "edge-agent-can.conf"
    wrong.write_text(wrong.read_text().replace("RestrictAddressFamilies", "RestrictAddressFamily"))
    assert "RestrictAddressFamily" in complaints(tmp_path / AGENT)


@pytest.mark.parametrize("unit", MOST)
def test_a_units_exposure_is_what_its_work_takes(tmp_path: Path, unit: str) -> None:
    assert exposure(copy(tmp_path) / unit) == MOST[unit]


def test_the_page_says_what_each_family_costs(tmp_path: Path) -> None:
    costs = {}
    for family in FAMILY:
        folder = tmp_path / family
        folder.mkdir()
        costs[family] = exposure(copy(folder, family) / AGENT)
    told = {name: int(cost.replace(".", "")) for name, cost in rows()}
    assert told == costs
    assert max(cost for name, cost in costs.items() if name != "can") <= 13
    (tmp_path / "all").mkdir()
    every = exposure(copy(tmp_path / "all", *FAMILY) / AGENT)
    assert f"All of them together: {every // 10}.{every % 10}." in page()


def test_every_device_class_that_a_drop_in_names_is_on_the_page() -> None:
    for family in FAMILY:
        row = next(line for line in page().splitlines() if line.startswith(f"| `{family}` "))
        for device in opened(family, "DeviceAllow"):
            assert f"`{device.removesuffix(' rw')}`" in row
        for group in opened(family, "SupplementaryGroups"):
            assert f"`{group}`" in row


def test_every_group_that_a_unit_a_drop_in_or_a_rule_names_is_made() -> None:
    made = {
        line.split()[1]
        for line in (SYSTEMD / "edge-agent.sysusers.conf").read_text().splitlines()
        if line[0] == "g"
    }
    joined = {group for family in FAMILY for group in opened(family, "SupplementaryGroups")}
    ruled = set(re.findall(r'GROUP="(\w+)"|chgrp (\w+)', (SYSTEMD / "70-edge-agent.rules").read_text()))
    assert joined | {"video"} | {name for pair in ruled for name in pair if name} == made


def test_who_runs_the_operators_units_is_made_with_its_folders(tmp_path: Path) -> None:
    for program in ("systemd-sysusers", "systemd-tmpfiles"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: install systemd")
    for kind in ("sysusers", "tmpfiles"):
        (tmp_path / f"etc/{kind}.d").mkdir(parents=True)
        shutil.copy(SYSTEMD / f"edgectl.{kind}.conf", tmp_path / f"etc/{kind}.d/edgectl.conf")
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "edgectl.conf"], check=True, capture_output=True
    )
    made = (tmp_path / "etc/passwd").read_text()
    for unit in ("edgectl-collect.service", "edgectl-resign.service"):
        user = re.search(r"^User=(\w+)", (SYSTEMD / unit).read_text(), re.MULTILINE)
        assert user
        assert f"{user[1]}:" in made
    dry = ["systemd-tmpfiles", f"--root={tmp_path}", "--create", "edgectl.conf"]
    done = subprocess.run(dry, capture_output=True, text=True, check=False)
    if "Operation not permitted" not in done.stderr:  # who is not root gives nothing away
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "etc/edgectl/collect.env").read_text() == 'COLLECT_OPTIONS=""'
    assert (tmp_path / "etc/edgectl/collect.env").stat().st_mode & 0o777 == 0o600


def test_settings_of_buffers_and_no_other_files_of_a_sensor_are_given_away(tmp_path: Path) -> None:
    found = re.search(r'RUN\+="(/usr/bin/find [^"]+)"', (SYSTEMD / "70-edge-agent.rules").read_text())
    assert found
    if not Path("/usr/bin/find").exists():
        pytest.skip("needs find")
    device = tmp_path / "iio:device0"
    theirs = ["buffer/enable", "buffer0/length", "scan_elements/in_accel_x_en", "trigger/current_trigger",
              "sampling_frequency", "in_accel_sampling_frequency", "current_timestamp_clock"]  # fmt: skip
    others = ["in_accel_x_raw", "in_accel_x_calibbias", "power/control", "uevent"]
    for name in theirs + others:
        (device / name).parent.mkdir(parents=True, exist_ok=True)
        (device / name).touch(mode=0o644)
    (device / "scan_elements/in_accel_x_type").touch(mode=0o444)  # nobody writes it
    looking = found[1].replace("/sys%p", str(device)).split()
    listed = subprocess.run(
        [*looking[: looking.index("-exec")], "-print"], capture_output=True, text=True, check=True
    )
    assert sorted(listed.stdout.split()) == sorted(str(device / name) for name in theirs)


def page() -> str:
    return (SYSTEMD.parent / "docs" / "hardware.md").read_text()


def rows() -> Iterator[tuple[str, str]]:
    """Give each family of the page's table, with its exposure."""
    yield from re.findall(r"^\| `([a-z-]+)` \|.*\| (\d\.\d) \|$", page(), re.MULTILINE)


def opened(family: str, key: str) -> list[str]:
    """Give the values of a setting in a family's drop-in."""
    return settings(f"edge-agent-{family}.conf").get(key, [])
