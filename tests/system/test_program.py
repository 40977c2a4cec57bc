"""A source that reads another program, in the service under a real systemd."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.system.booted import CONFIG, UNIT

if TYPE_CHECKING:
    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PICTURE = "/usr/share/frame.jpg"
CAMERA = f"""#!/bin/sh
cat /var/lib/edge-agent/state.db > /dev/null 2>&1 && exit 3
touch /var/lib/edge-agent/mine 2> /dev/null && exit 4
while cat {PICTURE}; do sleep 0.05; done
"""
"""What stands for rpicam-vid: it ends if it can read what is not its own, or write."""


def running(machine: Container) -> str:
    """Give the program's pid, "" when there is none; what it has forked and is not yet ``cat`` is younger."""
    return machine.run("pgrep", "--exact", "--oldest", "rpicam-vid").stdout.strip()


def test_a_program_that_a_source_reads_runs_in_the_service_and_ends_with_it(machine: Container) -> None:
    picture = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
    machine.write("/tmp/frame", base64.b64encode(picture).decode())
    machine.write("/usr/local/bin/rpicam-vid", CAMERA)
    told = f"base64 -d /tmp/frame > {PICTURE}; chmod 755 /usr/local/bin/rpicam-vid; chmod 644 {PICTURE}"
    assert machine.run("sh", "-c", told).returncode == 0
    lines = [
        'source = { kind = "rpicam" }' if one.startswith("source") else one for one in CONFIG.splitlines()
    ]
    machine.start("\n".join(lines))
    status = machine.inferring()
    pipeline = status["pipelines"][0]
    assert pipeline["confined"]["seccomp"]
    assert pipeline["problem"] is None
    before = running(machine)
    assert before
    machine.kill("KILL", pipeline["pid"])
    machine.until(lambda: running(machine) not in {"", before}, "start it again", 20)
    machine.run("systemctl", "stop", UNIT)
    assert running(machine) == ""
