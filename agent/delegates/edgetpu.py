"""Google's Edge TPU (Coral): a USB stick, or a card or module on PCIe.

Facts: the options `device`, `Performance` and `Usb.*` are those of libedgetpu (pycoral's
``load_edgetpu_delegate`` and tflite/public/edgetpu.h name them); the USB ids are those of its udev rules
(debian/edgetpu-accelerator.rules): 1a6e:089a before the library has sent the stick its firmware, 18d1:9302
after. The driver of PCIe makes /dev/apex_N. One process at a time can have it open. Not run on the hardware
yet: tests have a stand-in.
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from agent.delegates import _external, _usb
from agent.types import Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_BEFORE_FIRMWARE = "1a6e:089a"
_IDS = (_BEFORE_FIRMWARE, "18d1:9302")
_CARDS = tuple(f"/dev/apex_{number}" for number in range(8))
_BUS = "/dev/bus/usb"
_UDEV = "/run/udev"
_DEVICE = re.compile(r"(usb|pci)?(?::(\d+))?")

TRAITS = _external.Traits(
    kind="edgetpu",
    libraries=("libedgetpu.so.1",),
    install="Install libedgetpu1-std of Coral's packages",
    devices=(*_CARDS, _BUS),
    silent="Plug it in, let this user open it (a udev rule), and end the other process that may have it",
    variant="edgetpu",
)


class Options(_external.Options):
    """Which Edge TPU, and how fast it runs."""

    device: str = Field(
        default="",
        pattern=r"^(usb|pci)?(:\d{1,2})?$",
        description="empty: any; `usb`, `pci`: the first there; `:1`, `usb:1`, `pci:1`: by number, from 0",
    )
    performance: Literal["Low", "Medium", "High", "Max"] = Field(
        default="Max", description="its clock: less is cooler"
    )


def build(options: Options, root: Path = _external.ROOT) -> EdgeTpu:
    """Make the delegate; ``root`` is where /dev and /sys begin."""
    passed = {"Performance": options.performance} | ({"device": options.device} if options.device else {})
    return EdgeTpu(TRAITS, options, passed, root)


class EdgeTpu(_external.External):
    """Implements ``Delegate`` for the Edge TPU."""

    def __init__(
        self,
        traits: _external.Traits,
        options: Options,
        passed: Mapping[str, _external.Option],
        root: Path,
    ) -> None:
        super().__init__(traits, options, passed, root)
        found = _DEVICE.fullmatch(options.device)
        self._bus: str = (found[1] if found else None) or ""
        self._number = int((found[2] if found else None) or 0)
        self._version = ""

    def needs(self) -> Needs:
        """Give what it must reach: with its firmware a stick gets another node, so all of USB."""
        plain = super().needs()
        return Needs(read=(*plain.read, "/sys", _UDEV), devices=plain.devices, hotplug=True)

    def open(self, load: Callable[[str, Mapping[str, str]], object]) -> object:
        """Load the library and have it open the device; see ``Delegate``."""
        opened = super().open(load)
        path, _ = self._find()
        self._version = _version(path)
        return opened

    def describe(self) -> str:
        """Say which device and which library."""
        return f"{super().describe()}, {self._version}" if self._version else super().describe()

    def reset(self) -> bool:
        """Reset the stick, if there is just one: the library counts them in an order of its own."""
        sticks = self._sticks() if not self._options.devices else []
        return len(sticks) == 1 and _usb.reset(self._below(sticks[0].node))

    def _look(self) -> tuple[tuple[str, ...], str]:
        if self._options.devices:
            return super()._look()
        sticks = self._sticks()
        cards = tuple(one for one in _CARDS if self._bus != "usb" and self._below(one).exists())
        there = (*cards, *(_place(one) for one in sticks))
        if len(there) <= self._number:
            return there, self._absent(there)
        nodes = (*cards, *(one.node for one in sticks))
        missing = [one for one in nodes if not self._below(one).exists()]
        if missing == list(nodes):
            return there, f"{there[0]} is plugged in, and its node {missing[0]} is not there"
        return there, self._closed(tuple(one for one in nodes if one not in missing))

    def _absent(self, there: tuple[str, ...]) -> str:
        where = {"usb": " on USB", "pci": " on PCIe"}.get(self._bus, "")
        if there:
            return f"{len(there)} of them are there{where}, and number {self._number} is wanted"
        sticks, cards = f"no USB device {' or '.join(_IDS)}", "no /dev/apex_*"
        told = {"usb": sticks, "pci": cards}.get(self._bus, f"{cards}, {sticks}")
        return f"none is plugged in{where}: {told}"

    def _sticks(self) -> list[_usb.Device]:
        return _usb.devices(self._root, _IDS) if self._bus != "pci" else []


def _place(stick: _usb.Device) -> str:
    return f"USB {stick.name}" + (" (before its firmware)" if stick.ids == _BEFORE_FIRMWARE else "")


def _version(path: str) -> str:
    """Ask the library, which is loaded, for its version (``edgetpu_version`` of edgetpu_c.h), or give ""."""
    library = ctypes.CDLL(path)
    if not hasattr(library, "edgetpu_version"):
        return ""
    library.edgetpu_version.restype = ctypes.c_char_p
    told = library.edgetpu_version()
    found = re.search(r"RuntimeVersion\((\d+)\)", (told or b"").decode(errors="replace"))
    return f"runtime {found[1]}" if found else ""
