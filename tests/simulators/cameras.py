"""Simulated cameras: what v4l2_shim.c plays to a process, and a way to run the agent in front of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

SOURCE = Path(__file__).with_name("v4l2_shim.c")
ROOT = "V4L2_SHIM_ROOT"
CAPTURE, METADATA, MEDIA_CONTROLLER = 0x4200001, 0x4A00000, 0x24200001
"""Capabilities (V4L2_CAP): a webcam's pictures, its metadata node, and a sensor that needs libcamera."""
MODES = ("YUYV 640x480@100/30/15", "YUYV 320x240@100/30", "MJPG 320x240@100/30", "MJPG 1280x720@30")


def compile_shim(folder: Path, *more: str) -> Path:
    """Compile the simulator into ``folder``, with ``more`` for the compiler.

    Raises CalledProcessError when it does not compile.
    """
    shim = folder / "v4l2_shim.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *more]
    subprocess.run(["cc", *flags, "-o", str(shim), str(SOURCE), "-ldl", "-lpthread"], check=True)
    return shim


class Cameras:
    """The video devices of a machine that does not exist.

    Args:
        root: a folder that stands in for /dev and /sys.
        shim: the compiled simulator, for processes to be started; not needed where it is loaded already.
    """

    def __init__(self, root: Path, shim: Path | None = None) -> None:
        self.root = root
        self._shim = shim
        for folder in ("dev/v4l/by-id", "dev/v4l/by-path", "sys/class/video4linux"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    @classmethod
    def here(cls) -> Self:
        """Those that this process sees."""
        return cls(Path(os.environ[ROOT]))

    def plug(
        self,
        number: int = 0,
        name: str = "Sim Cam",
        modes: tuple[str, ...] = MODES,
        *,
        controls: tuple[str, ...] = (),
        usb: tuple[str, ...] = (),
        **traits: object,
    ) -> str:
        """Plug in a camera: give its path. ``traits`` are further lines that the simulator knows.

        ``usb`` is vendor, product and serial number of its device.
        """
        node = self.root / "dev" / f"video{number}"
        lines = {"name": name, "driver": "uvcvideo", **traits}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        aside = node.with_name(f".{node.name}")
        text += "".join(f"mode={mode}\n" for mode in modes)
        aside.write_text(text + "".join(f"control={control}\n" for control in controls))
        aside.rename(node)  # it is there as a whole, or not at all
        about = self.root / "sys/class/video4linux" / node.name
        about.mkdir(exist_ok=True)
        (about / "name").write_text(f"{name}\n")
        (about / "index").write_text(f"{traits.get('index', 0)}\n")
        if usb:
            device = self.root / f"sys/devices/usb1/1-{number}"
            (device / f"1-{number}:1.0").mkdir(parents=True, exist_ok=True)
            for file, value in zip(("idVendor", "idProduct", "serial"), usb, strict=False):
                (device / file).write_text(f"{value}\n")
            (about / "device").unlink(missing_ok=True)
            (about / "device").symlink_to(device / f"1-{number}:1.0")
        return f"/dev/{node.name}"

    def name(self, number: int, by_id: str) -> str:
        """Give a device a stable name."""
        link = self.root / "dev/v4l/by-id" / by_id
        link.symlink_to(f"../../video{number}")
        return by_id

    def unplug(self, number: int = 0) -> None:
        """Pull it out."""
        (self.root / "dev" / f"video{number}").unlink()
        shutil.rmtree(self.root / f"sys/class/video4linux/video{number}")

    @property
    def log(self) -> list[str]:
        """What the drivers were asked so far."""
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that sees these cameras."""
        return {**os.environ, "LD_PRELOAD": str(self._shim), ROOT: str(self.root)}

    @property
    def program(self) -> list[str]:
        """The agent's command, whose workers see these cameras, too: they get a clean environment."""
        # The driver must reach the folder in any worker.
        return self._program(
            f"confinement._PLAIN_DEVICES += ({str(self.root.parent)!r},); "
            "confinement.DEVICE = landlock.WRITE; "
        )

    @property
    def strict_program(self) -> list[str]:
        """The same with workers that reach the nodes of these cameras only as they would reach real ones."""
        (self.root / "log").touch()
        names = (str(self.root / "dev/v4l"), str(self.root / "sys"))
        return self._program(
            f"confinement._PLAIN_DEVICES += ({str(self.root / 'log')!r},); "
            f"confinement._LIBRARIES += {names!r}; "
        )

    def _program(self, prepared: str) -> list[str]:
        python = self.root / "python"
        # Called as: python -I -m agent.workers.main ...
        prelude = (
            "import runpy, sys; from agent.confinement import confine as confinement, landlock; "
            f"{prepared}sys.argv[0] = 'worker'; runpy.run_module('agent.workers.main', run_name='__main__')"
        )
        python.write_text(
            f'#!/bin/sh\nif [ "$3" = agent.workers.main ]; then shift 3; set -- -I -c "{prelude}" "$@"; fi\n'
            f'LD_PRELOAD="{self._shim}" {ROOT}="{self.root}" exec "{sys.executable}" "$@"\n'
        )
        python.chmod(0o755)
        code = f"import sys; sys.executable = {str(python)!r}; from agent.cli.main import main; main()"
        return [sys.executable, "-c", code]

    def run(self, *words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run an ``edge-agent`` command in front of the cameras."""
        return subprocess.run(
            [*self.program, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def number_in(picture: object) -> int:
    """Read the frame number that the simulator has drawn along the top: uint8 (height, width, 3)."""
    row = picture[8, :, 0]  # type: ignore[index]
    width = len(row)
    return sum((int(row[(2 * n + 1) * width // 32]) > 128) << (15 - n) for n in range(16))
