"""`edge-agent install` under a real systemd: from an environment to a service that infers, and away again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.booted import DATA, UNIT
from tests.system.container import Container

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PLACE = f"/etc/systemd/system/{UNIT}"


@pytest.fixture(scope="module")
def bare(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted machine that has the agent's environment, and no unit of it."""
    with Container(rootfs, tmp_path_factory.mktemp("bare") / "console", {}) as container:
        yield container


def install(machine: Container, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.agent("install", "--json", *options))
    return found


def test_it_makes_a_service_of_an_environment_and_takes_it_away_again(bare: Container) -> None:
    done = install(bare, "--profile", "raspberry-pi-zero-2w", "--hardware", "serial", "--hardware", "iio")
    assert done["hardware"] == ["serial", "iio"]
    assert done["notes"][-1].startswith("the service says: 1 of 1 pipelines running")
    assert bare.run("systemctl", "is-enabled", UNIT).stdout.strip() == "enabled"
    assert "char-ttyUSB rw" in bare.show("DeviceAllow")
    assert {"iio", "dialout", "video"} <= {*bare.show("SupplementaryGroups").split()}
    assert bare.show("MemoryMax") == str(256 << 20)
    assert bare.run("stat", "-c", "%a", "/etc/credstore", "/etc/edge-agent").stdout.split() == ["700", "755"]
    before = bare.show("MainPID")

    again = install(bare, "--profile", "raspberry-pi-zero-2w")
    assert {one["did"] for one in again["steps"]} <= {"unchanged", "kept", "ran"}
    assert bare.show("MainPID") == before  # what is as it should be is not started again

    bare.write(f"{PLACE}.d/mine.conf", "[Service]\nEnvironment=MINE=1\n")
    install(bare, "--remove")
    assert bare.run("systemctl", "is-active", UNIT).stdout.strip() == "inactive"
    stays = [f"{PLACE}.d/mine.conf", "/etc/edge-agent/agent.toml", f"{DATA}/state.db"]
    assert bare.run("ls", PLACE, *stays).stdout.split() == sorted(stays)
