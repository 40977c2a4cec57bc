"""What is built of a release: the same bytes each time, for machines that this one is not."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from release.packages import main
from release.source import HERE, Source
from release.wheels import build, built

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_sdist_builds_the_wheel_that_the_checkout_does(tmp_path: Path) -> None:
    source = Source(HERE)
    sdist, wheel = build(source, tmp_path / "from-sdist")
    assert sdist.name.endswith(".tar.gz")
    direct = built("--wheel", HERE, tmp_path, source.epoch)
    assert direct.name == wheel.name
    assert digest(direct) == digest(wheel)


def test_a_package_for_arm_is_the_same_bytes_each_time_and_holds_its_machines_code(tmp_path: Path) -> None:
    options = ["--only", "deb", "--arch", "arm64", "--python", "3.13", "--compression", "none", "--json"]
    made: list[Path] = []
    for name in ("first", "again"):
        assert main([*options, "--out", str(tmp_path / name)]) == 0
        made += (tmp_path / name).iterdir()
    assert made[0].name == made[1].name
    assert digest(made[0]) == digest(made[1])
    listed = subprocess.run(
        ["dpkg-deb", "-c", str(made[0])], capture_output=True, text=True, check=True
    ).stdout
    assert "/python3.13/site-packages/agent/supervision/supervisor.py" in listed
    assert ".cpython-313-aarch64-linux-gnu.so" in listed
    assert "x86_64-linux-gnu" not in listed
    assert "root/root" in listed
