"""A booted machine for each module, and the service on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.container import COLLECTOR, CONFIG, DATA, UNIT, Container

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("EDGE_AGENT_TESTS_ROOTFS", REPOSITORY / "build" / "rootfs"))
# The real unit, with a watchdog that a test can wait for; another test has the real one's time.
IMPATIENT = "[Service]\nWatchdogSec=4\n"


@pytest.fixture(scope="session")
def rootfs() -> Path:
    """A file system with this checkout's agent; made once, and again when the agent's code is newer."""
    script = Path(__file__).with_name("rootfs.sh")
    inputs = [*(REPOSITORY / "agent").rglob("*.py"), REPOSITORY / "pyproject.toml", script]
    newest = max(path.stat().st_mtime for path in inputs)
    if not CACHE.exists() or CACHE.stat().st_ctime < newest:
        subprocess.run([str(script), str(CACHE), sys.executable], cwd=REPOSITORY, check=True, timeout=220)
    return CACHE


@pytest.fixture(scope="module")
def machine(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted machine with the units as they are in the repository; the agent's data goes to a real disk."""
    folder = tmp_path_factory.mktemp("container")
    data = folder / "data"
    data.mkdir()
    units = {f"/etc/systemd/system/{unit}": REPOSITORY / "systemd" / unit for unit in (UNIT, COLLECTOR)}
    with Container(rootfs, folder / "console", units, {DATA: data}) as container:
        container.write(f"/etc/systemd/system/{UNIT}.d/impatient.conf", IMPATIENT)
        container.run("systemctl", "daemon-reload")
        yield container


@pytest.fixture
def service(machine: Container) -> Iterator[Container]:
    """The service, started on one pipeline and inferring."""
    machine.start(CONFIG)
    machine.inferring()
    yield machine
    machine.run("systemctl", "stop", UNIT)
