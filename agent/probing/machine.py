"""Reads what a machine says of itself: device tree, USB, /proc and /sys, below a folder that stands for "/".

What cannot be read is left out: every file here is missing on some board. Sizes and counts are bounded.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agent.boards.matching import Facts, Usb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path("/")
DEVICE_TREES = ("proc/device-tree", "sys/firmware/devicetree/base")
"""The second holds where /proc is restricted, as by systemd's ProcSubset=pid."""
_MOST_BYTES = 64 << 10
_MOST_ENTRIES = 256
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, by the folder that is its root.

    Attributes:
        root: "/" for this one; a folder that looks like it for another.
        name: what `uname -m` gives there.
    """

    root: Path = ROOT
    name: str = platform.machine()

    def facts(self, patterns: Iterable[str] = ()) -> Facts:
        """Read what profiles are chosen by; ``patterns`` are those of files that they ask for."""
        found = {pattern: path for pattern in patterns if (path := self.first(pattern))}
        return Facts(
            machine=self.name,
            compatible=self.compatible(),
            model=self.device_tree("model"),
            usb=tuple(self.usb()),
            cpuinfo=tuple(dict.fromkeys(f"{key}: {value}" for key, value in self.cpuinfo())),
            files=found,
        )

    def text(self, path: str) -> str:
        """Give a file's text without white space at its ends; "" when it cannot be read."""
        return self.raw(path).decode(errors="replace").strip()

    def raw(self, path: str) -> bytes:
        """Give the beginning of a file, at most 64 KiB; b"" when it cannot be read."""
        try:
            # Some files of /sys refuse for as long as a device is asleep, or for good.
            with (self.root / path.lstrip("/")).open("rb") as file:
                return file.read(_MOST_BYTES)
        except OSError:
            return b""

    def number(self, path: str) -> int | None:
        """Give a file's decimal number, or None."""
        text = self.text(path)
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None

    def entries(self, folder: str, pattern: str = "*") -> list[str]:
        """Give the paths below the root that fit a pattern in a folder, in natural order; at most 256."""
        try:
            found = [
                one.name for one in islice((self.root / folder.lstrip("/")).glob(pattern), _MOST_ENTRIES)
            ]
        except OSError:
            return []
        return [f"{folder}/{name}" for name in sorted(found, key=_natural)]

    def first(self, pattern: str) -> str:
        """Give a path that is there and fits a pattern, as the machine itself would write it; "" for none."""
        try:
            found = next((one for one in self.root.glob(pattern.lstrip("/")) if one.exists()), None)
        except (OSError, ValueError):
            return ""
        return "" if found is None else f"/{found.relative_to(self.root)}"

    def device_tree(self, name: str) -> str:
        """Give a property of the device tree's root that is one text, or ""."""
        return next(iter(self._strings(name)), "")

    def compatible(self) -> tuple[str, ...]:
        """Give the device tree's names for this board, most specific first."""
        return tuple(self._strings("compatible")[:16])

    def _strings(self, name: str) -> list[str]:
        for tree in DEVICE_TREES:
            if raw := self.raw(f"{tree}/{name}"):
                return [printable(part.decode(errors="replace")) for part in raw.split(b"\0") if part]
        return []

    def usb(self) -> Iterator[Usb]:
        """Give the devices on the USB, without hubs' own ports and without serial numbers."""
        for folder in self.entries("/sys/bus/usb/devices"):
            vendor, product = (self.text(f"{folder}/{name}") for name in ("idVendor", "idProduct"))
            if re.fullmatch(r"[0-9a-f]{4}", vendor) and re.fullmatch(r"[0-9a-f]{4}", product):
                words = (self.text(f"{folder}/{name}") for name in ("manufacturer", "product"))
                name = printable(" ".join(word for word in words if word))[:80]
                yield Usb(f"{vendor}:{product}", name, os.path.basename(folder))  # noqa: PTH119 - a text

    def cpuinfo(self) -> Iterator[tuple[str, str]]:
        """Give the keys and values of /proc/cpuinfo, one processor after the other."""
        for line in self.text("/proc/cpuinfo").splitlines():
            key, colon, value = line.partition(":")
            if colon and value.strip():
                yield key.strip(), printable(value.strip())


def printable(text: str) -> str:
    """Give a text from a device as one line that a terminal may be sent."""
    return _NOT_PRINTABLE.sub(" ", text).strip()


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]
