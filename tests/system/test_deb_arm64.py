"""The package for 64-bit ARM: what it brings runs there, emulated."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.system import building, debs
from tests.system.emulated import Userland

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(900)]


def test_its_environment_infers_with_debians_python(tmp_path: Path) -> None:
    package, scratch = tmp_path / "package", tmp_path / "scratch"
    scratch.mkdir()
    subprocess.run(["dpkg-deb", "-x", str(debs.new("arm64").path), str(package)], check=True)
    arm = Userland(building.root("arm64"), scratch, package)
    agent = ("/src/opt/edge-agent/bin/python", "-I", "-B", "-m", "agent.cli.main")
    told = json.loads(arm.says(*agent, "version", "--json"))
    assert (told["machine"], told["edge-agent"].endswith(".post1")) == ("aarch64", True)
    said = arm.says(*agent, "infer", "glyphs", "--source", "synthetic", "--frames", "3", "--json")
    assert len(said.splitlines()) >= 3
