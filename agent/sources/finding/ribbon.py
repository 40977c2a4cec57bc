"""Cameras on a Raspberry Pi's ribbon cable: the kernel shows their sensors on the I2C bus.

libcamera's own list would be exact, but a program that asks the hardware may hang, and has the camera
meanwhile.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from agent.sources.finding.nodes import entries, text
from agent.types import Found

_SENSORS = re.compile(r"^(imx\d{3}|ov\d{4,5}|arducam|gc\d{4}|ar0\d{3}|s5k\w{3,5})[\w-]{0,20}$")
"""The kernel's names of image sensors; docs of the Raspberry Pi list most."""
_PROGRAMS = ("rpicam-vid", "libcamera-vid")


def found(root: Path) -> list[Found]:
    """Give the cameras whose sensors have a driver; ``root`` stands for "/"."""
    devices = entries(root, "/sys/bus/i2c/devices")
    names = [name for path in devices if _SENSORS.match(name := text(path / "name"))]
    problem = hint = ""
    if root == Path("/") and not any(map(shutil.which, _PROGRAMS)):
        problem, hint = "there is no program rpicam-vid", "Install it: sudo apt-get install rpicam-apps"
    return [
        Found(
            name=f"camera with a sensor {name}",
            options={"camera": number},
            guessed=("camera",) if len(names) > 1 else (),
            problem=problem,
            hint=hint,
        )
        for number, name in enumerate(names)
    ]
