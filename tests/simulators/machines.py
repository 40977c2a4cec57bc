"""Machines that are folders: /proc and /sys of boards, as their device trees and vendors' pages give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.probing.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

CORAL_STICK = ("18d1:9302", "Google Inc.", "")
BARE_STICK = ("1a6e:089a", "Global Unichip Corp.", "")
"""The same before its firmware is loaded."""


@dataclass(frozen=True)
class Board:
    """What a board shows of itself. ``usb`` holds (vendor:product, maker, product)."""

    compatible: tuple[str, ...] = ()
    model: str = ""
    machine: str = "aarch64"
    usb: tuple[tuple[str, str, str], ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    def build(self, root: Path) -> Machine:
        """Make the folder."""
        for name, texts in (("compatible", self.compatible), ("model", (self.model,))):
            if any(texts):
                put(root, f"proc/device-tree/{name}", "".join(f"{text}\0" for text in texts))
        put(root, "proc/device-tree/serial-number", "10000000abcdef01\0")
        for number, (identity, maker, product) in enumerate(self.usb, 1):
            plug(root, number, identity, maker, product)
        for path, text in self.files.items():
            put(root, path, text)
        return Machine(root, self.machine)


def put(root: Path, path: str, text: str) -> None:
    """Write one file of the tree."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def plug(root: Path, number: int, identity: str, maker: str = "", product: str = "") -> None:
    """Plug a USB device into port 1-<number>."""
    vendor, _, model = identity.partition(":")
    folder = f"sys/bus/usb/devices/1-{number}"
    put(root, f"{folder}/idVendor", f"{vendor}\n")
    put(root, f"{folder}/idProduct", f"{model}\n")
    put(root, f"{folder}/serial", "SECRET-OF-THE-STICK\n")
    if maker:
        put(root, f"{folder}/manufacturer", f"{maker}\n")
    if product:
        put(root, f"{folder}/product", f"{product}\n")


def zone(root: Path, number: int, kind: str, celsius: float) -> None:
    """Give the board a thermal zone."""
    put(root, f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
    put(root, f"sys/class/thermal/thermal_zone{number}/temp", f"{round(celsius * 1000)}\n")


PI_4_CPUINFO = (
    "".join(
        f"processor\t: {n}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\n"
        for n in range(4)
    )
    + "Revision\t: c03114\nSerial\t\t: 10000000abcdef01\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
)

# By the profile that must be found. The strings are those of device trees in Linux and the vendors' kernels.
BOARDS: dict[str, tuple[Board, str]] = {
    "raspberry-pi-4": (
        Board(("raspberrypi,4-model-b", "brcm,bcm2711"), "Raspberry Pi 4 Model B Rev 1.4"),
        "the device tree says raspberrypi,4-model-b",
    ),
    "raspberry-pi-5": (
        Board(("raspberrypi,5-model-b", "brcm,bcm2712"), "Raspberry Pi 5 Model B Rev 1.0"),
        "the device tree says raspberrypi,5-model-b",
    ),
    "raspberry-pi-zero-2w": (
        Board(("raspberrypi,model-zero-2-w", "brcm,bcm2837"), "Raspberry Pi Zero 2 W Rev 1.0"),
        "the device tree says raspberrypi,model-zero-2-w",
    ),
    "coral-dev-board": (
        Board(("google,imx8mq-phanbell", "fsl,imx8mq"), "Google i.MX8MQ Phanbell"),
        "the device tree says google,imx8mq-phanbell",
    ),
    "imx8mp": (
        Board(("fsl,imx8mp-evk", "fsl,imx8mp"), "NXP i.MX8MPlus EVK board"),
        "the device tree says fsl,imx8mp",
    ),
    "imx93": (
        Board(("fsl,imx93-11x11-evk", "fsl,imx93"), "NXP i.MX93 11X11 EVK board"),
        "the device tree says fsl,imx93",
    ),
    "jetson-orin-nano": (
        Board(
            ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"),
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        ),
        "the device tree says nvidia,p3768-0000+p3767-0005-super",
    ),
    "rockchip-rk3588": (
        Board(("radxa,rock-5b", "rockchip,rk3588"), "Radxa ROCK 5B"),
        "the device tree says rockchip,rk3588",
    ),
    "android-nnapi": (
        Board(("acme,tablet",), files={"system/lib64/libneuralnetworks.so": ""}),
        "/system/lib64/libneuralnetworks.so is there",
    ),
    "generic-arm64": (Board(("acme,board",), "A board"), "uname says aarch64"),
    "generic-armv7": (Board(machine="armv7l"), "uname says armv7l"),
    "generic-x86_64": (Board(machine="x86_64"), "uname says x86_64"),
}
