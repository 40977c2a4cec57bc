"""What a machine of these tests boots, of any architecture: built once, and anew for newer code."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system.booted import UNIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.system.booted import Booted

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BUILT = REPOSITORY / "build"
# For a machine that is emulated beside others' work.
PATIENT = "[Service]\nTimeoutStartSec=900\nWatchdogSec=300\nTimeoutStopSec=300\n"
_PACKAGES = ("udev", "kmod", "iproute2")
_TIMEOUT_S = 300


def container() -> Path:
    """Build a file system with this checkout's agent, for a container."""
    return _root("", Path(os.environ.get("EDGE_AGENT_TESTS_ROOTFS") or BUILT / "rootfs"))


def root(arch: str) -> Path:
    """Build one for a virtual machine or programs alone."""
    return _root(arch, BUILT / f"{arch}-root", *_PACKAGES)


def clean() -> Path:
    """Build one with nothing of the agent, whose packages are configured, for a container."""
    folder = BUILT / "deb-root"
    with alone(folder):
        if not folder.exists() or folder.stat().st_ctime < _newest([HERE / "deb_root.sh"]):
            _build("", "deb_root.sh", folder)
    return folder


def _root(arch: str, folder: Path, *packages: str) -> Path:
    # All that the wheel holds: units and models come with it, too.
    held = [
        path
        for name in ("agent", "systemd", "models", "device_profiles")
        for path in (REPOSITORY / name).rglob("*")
    ]
    inputs = [path for path in held if path.is_file() and "__pycache__" not in path.parts]
    inputs += [REPOSITORY / "pyproject.toml", HERE / "rootfs.sh"]
    with alone(folder):
        if not folder.exists() or folder.stat().st_ctime < _newest(inputs):
            _build(arch, "rootfs.sh", folder, sys.executable, *packages)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have other processes of the tests wait until this one has built the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def vm(arch: str) -> Path:
    """Build kernel, first file system and disk of a virtual machine; give their folder."""
    folder, holds = BUILT / f"{arch}-vm", root(arch)
    disk = folder / "disk.img"
    newest = _newest(HERE / name for name in ("vm.sh", "vm_hand.py", "vm_hand.service"))
    if not disk.exists() or disk.stat().st_mtime < max(newest, holds.stat().st_ctime):
        _build(arch, "vm.sh", folder, holds)
        os.utime(disk)  # vm.sh has written into the root, too
    return folder


def install(machine: Booted) -> None:
    """Bring in the service's unit as it is in the repository, with the time that an emulation needs."""
    machine.write(f"/etc/systemd/system/{UNIT}", (REPOSITORY / "systemd" / UNIT).read_text())
    machine.write(f"/etc/systemd/system/{UNIT}.d/patient.conf", PATIENT)
    machine.run("systemctl", "daemon-reload")


def _newest(paths: Iterable[Path]) -> float:
    return max(path.stat().st_mtime for path in paths)


def _build(arch: str, script: str, *words: str | Path) -> None:
    command = [str(HERE / script), *map(str, words)]
    environment = os.environ | ({"ARCH": arch} if arch else {})
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, timeout=_TIMEOUT_S)
