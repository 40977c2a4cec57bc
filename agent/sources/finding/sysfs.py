"""Sensors that the kernel shows as files: devices of Industrial I/O, and hardware monitors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.sources.finding.nodes import entries, text
from agent.types import Found

if TYPE_CHECKING:
    from pathlib import Path

_IIO = re.compile(r"^(in_[a-z0-9_-]{1,60})_(?:raw|input)$")
_HWMON = re.compile(r"^((?:temp|in|curr|power|energy|humidity|fan|freq)[0-9]{1,3})_input$")
_MOST_CHANNELS = 64
_UNITS = {"temp": "degC", "in": "V", "curr": "A", "power": "W", "energy": "J", "humidity": "%", "fan": "rpm"}


def iio(root: Path) -> list[Found]:
    """Give the devices of Industrial I/O that have channels; ``root`` stands for "/"."""
    return _devices(root, "/sys/bus/iio/devices", "iio:device*", _IIO, {"rate": 10, "window": 10})


def hwmon(root: Path) -> list[Found]:
    """Give the hardware monitors that have channels; ``root`` stands for "/"."""
    return _devices(root, "/sys/class/hwmon", "hwmon*", _HWMON, {"rate": 1, "window": 1})


def _devices(
    root: Path, folder: str, pattern: str, channel: re.Pattern[str], beginning: dict[str, int]
) -> list[Found]:
    held = {path: text(path / "name") for path in entries(root, folder, pattern)}
    devices = []
    for path, name in held.items():
        channels = _channels(path, channel)
        if not channels:
            continue
        # A name says more and stays; where two have the same, or one has none, the kernel's number must do.
        alone = bool(name) and "/" not in name and list(held.values()).count(name) == 1
        devices.append(
            Found(
                name=name or path.name,
                options={"device": name if alone else path.name, "channels": channels, **beginning},
                guessed=tuple(beginning),
                about=_labels(path, channels),
            )
        )
    return devices


def _channels(device: Path, channel: re.Pattern[str]) -> list[str]:
    names = (match[1] for path in entries(device, "") if (match := channel.match(path.name)))
    return sorted(dict.fromkeys(names), key=_natural)[:_MOST_CHANNELS]


def _labels(device: Path, channels: list[str]) -> tuple[str, ...]:
    """Say what each channel is, where the kernel has a word for it."""
    said = []
    for one in channels:
        unit = _UNITS.get(one.rstrip("0123456789"), "")
        if words := " ".join(word for word in (text(device / f"{one}_label"), unit) if word):
            said.append(f"{one}: {words}")
    return tuple(said)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]
