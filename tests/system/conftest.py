"""A booted machine for each module, and the service on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system import building
from tests.system.accounts import on_disk
from tests.system.booted import COLLECTOR, CONFIG, DATA, UNIT
from tests.system.container import Container
from tests.system.disk import Disk
from tests.system.vm import BOARD, Vm

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


@pytest.fixture(scope="session")
def rootfs() -> Path:
    """A file system with this checkout's agent; made once, and again when the agent's code is newer."""
    return building.container()


@pytest.fixture(scope="module")
def machine(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted machine with the units as they are in the repository; the agent's data goes to a real disk."""
    folder = tmp_path_factory.mktemp("container")
    data = folder / "data"
    data.mkdir()
    with Container(rootfs, folder / "console", units(), {DATA: data}) as container:
        yield container


@pytest.fixture(scope="module")
def board(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted machine that keeps what it has written, on a disk that can lose its power."""
    if not Path("/dev/loop-control").exists():
        pytest.skip("needs loop devices: modprobe loop")
    folder = tmp_path_factory.mktemp("board")
    with Container(rootfs, folder / "console", units(), disk=Disk(folder)) as container:
        yield container


def units() -> dict[str, Path]:
    """The units as they are in the repository, by where they go."""
    return {f"/etc/systemd/system/{unit}": REPOSITORY / "systemd" / unit for unit in (UNIT, COLLECTOR)}


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    """A booted virtual machine with the service's unit as it is in the repository, and no device yet."""
    with Vm(building.vm("amd64"), tmp_path_factory.mktemp("vm")) as machine:
        building.install(machine)
        yield machine


@pytest.fixture(scope="module")
def arm_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    """The same of 64-bit ARM."""
    with Vm(building.vm("arm64"), tmp_path_factory.mktemp("board"), BOARD) as machine:
        building.install(machine)
        yield machine


@pytest.fixture
def service(machine: Container, tmp_path: Path) -> Iterator[Container]:
    """The service, started on one pipeline and inferring; afterwards the accounts of all starts are read."""
    machine.start(CONFIG)
    machine.inferring()
    yield machine
    on_disk(machine, tmp_path / "data")
