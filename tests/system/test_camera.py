"""A camera in front of the service, pulled out and plugged in again.

The driver is v4l2_shim.c, in every process of the machine; its node is a file in the machine's own /dev,
which the service's user and its confined worker must be allowed to open as a real one. A real driver is in
test_devices.py.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulators.cameras import compile_shim
from tests.system.accounts import on_disk
from tests.system.booted import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

NODE = "/dev/video0"
CAMERA = "name=Sim Cam\ndriver=uvcvideo\nmode=YUYV 320x240@30\n"
SOURCE = f'source = {{ kind = "camera", device = "{NODE}" }}'
PIPELINE = "\n".join(SOURCE if line.startswith("source") else line for line in CONFIG.splitlines())


def plug(machine: Container) -> None:
    """Plug the camera in; udev would give it to the group."""
    machine.write("/dev/.video0", CAMERA)
    told = f"chgrp video /dev/.video0 && chmod 660 /dev/.video0 && mv /dev/.video0 {NODE}"
    assert machine.run("sh", "-c", told).returncode == 0


def problem(machine: Container) -> str | None:
    """Give what the agent says is wrong with the pipeline."""
    status = machine.status()
    return status["pipelines"][0]["problem"] if status else None


def seen(machine: Container, more: int) -> dict[str, Any]:
    """Wait until ``more`` frames have been inferred from now on; give the pipeline's status."""
    found: list[dict[str, Any]] = []

    def inferred() -> bool:
        if status := machine.status():
            found.append(status["pipelines"][0])
        return bool(found) and found[-1]["ledger"]["inferred"] >= found[0]["ledger"]["inferred"] + more

    machine.until(inferred, "see", 30)
    return found[-1]


def test_a_camera_that_is_unplugged_is_told_and_read_again_when_it_is_back(
    machine: Container, tmp_path: Path
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    shutil.copy(compile_shim(tmp_path, '-DV4L2_SHIM_ELSE=""'), machine.path("/usr/lib/v4l2_shim.so"))
    machine.write("/etc/ld.so.preload", "/usr/lib/v4l2_shim.so\n")
    plug(machine)
    machine.start(PIPELINE)
    before = seen(machine, 20)
    assert before["confined"]["seccomp"]
    for _ in range(2):
        assert machine.run("rm", NODE).returncode == 0
        machine.until(lambda: problem(machine) is not None, "tell", 20)
        plug(machine)
        after = seen(machine, 20)
        assert after["balanced"]
    assert "it was unplugged" in machine.journal()
    epochs = on_disk(machine, tmp_path / "data").ledgers
    [ledger] = epochs.values()
    assert ledger["inferred"] >= after["ledger"]["inferred"] > before["ledger"]["inferred"]
