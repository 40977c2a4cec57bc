"""Sets a buffered IIO device up, through the files that the kernel shows it in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.sampling.lookup import text
from agent.sources.sampling.scan import Element, element

if TYPE_CHECKING:
    from pathlib import Path

_OP = "set up sensor"
_TIMESTAMP = "in_timestamp"
_HINTS = {
    "permission denied": "Let a udev rule give these files to the agent's user: docs/sensors.md has one",
    "device or resource busy": "Stop the program that uses it: iio-sensor-proxy, or another pipeline",
}
_REFUSED = "See what it can in the files beside this one; a device without a trigger of its own needs one"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a device is told.

    Attributes:
        channels: what is read, in this order.
        frequency: samples a second; None leaves it as it is.
        trigger: the name of what tells the device to take a sample; "" leaves it as it is.
        length: samples that the kernel keeps.
        watermark: samples that wake a reader.
    """

    channels: tuple[str, ...]
    frequency: float | None
    trigger: str
    length: int
    watermark: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A device that is set up, and not yet started.

    Attributes:
        elements: what a record holds: the channels in the order asked for, then the timestamp, if any.
        clock: that the timestamps are of, as the kernel names it; "" for none.
        frequency: samples a second, as far as the device says.
    """

    elements: tuple[Element, ...]
    clock: str
    frequency: float | None


class Settings:
    """The files of one device.

    Args:
        folder: of the device.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        scan, newer = folder / "scan_elements", folder / "buffer0"
        self._scan = scan if scan.is_dir() or not newer.is_dir() else newer
        self._buffer = folder / "buffer" if (folder / "buffer").is_dir() else newer
        if not (self._scan.is_dir() and self._buffer.is_dir()):
            raise self._lost("its driver has no buffer", "Leave buffered out")

    def set_up(self, wanted: Wanted) -> Ready:
        """Choose the channels and the pace; the buffer is off after that.

        Raises:
            SourceLost: the device lacks something, or does not obey.
        """
        self._set(self._buffer / "enable", "0")
        if wanted.trigger:
            self._set(self._folder / "trigger" / "current_trigger", wanted.trigger)
        told = self._pace(wanted.frequency, wanted.trigger)
        elements = self._choose(wanted.channels)
        self._set(self._buffer / "length", str(wanted.length))
        if (self._buffer / "watermark").exists():
            self._set(self._buffer / "watermark", str(min(wanted.watermark, wanted.length)))
        return Ready(elements, self._clock() if len(elements) > len(wanted.channels) else "", told)

    def start(self) -> None:
        """Have the kernel collect samples.

        Raises:
            SourceLost: the device does not obey.
        """
        self._set(self._buffer / "enable", "1")

    def stop(self) -> bool:
        """Have it stop; give whether the device was there to do so."""
        try:
            _write(self._buffer / "enable", "0")
        except OSError:
            return False
        return True

    def _choose(self, channels: tuple[str, ...]) -> tuple[Element, ...]:
        """Enable the channels and the timestamp, and nothing else."""
        there = {path.name.removesuffix("_en"): path for path in sorted(self._scan.glob("in_*_en"))}
        for name in channels:
            if name not in there:
                known = ", ".join(one for one in there if one != _TIMESTAMP)[:300] or "none"
                raise self._lost(f"its buffer has no {name}", f"It has: {known}")
        wanted = [*channels, *([_TIMESTAMP] if _TIMESTAMP in there else [])]
        for name, path in there.items():
            if (name in wanted) != (text(path) == "1"):
                self._set(path, "1" if name in wanted else "0")
        found = []
        for name in wanted:
            try:
                index = int(text(self._scan / f"{name}_index"))
                found.append(element(index, text(self._scan / f"{name}_type")))
            except ValueError as error:
                hint = "Leave buffered out, and report what the files of scan_elements say"
                raise self._lost(f"{name}: {error}", hint) from error
        return tuple(found)

    def _pace(self, wanted: float | None, trigger: str) -> float | None:
        """Set the sampling frequency where it is to be another one, and give what it is."""
        places = [self._folder / "sampling_frequency", *sorted(self._folder.glob("in_*sampling_frequency"))]
        if trigger:
            held = self._folder.parent.glob("trigger*")
            places += [one / "sampling_frequency" for one in held if text(one / "name") == trigger]
        path = next((one for one in places if one.exists()), None)
        if path is None:
            if wanted is not None:
                raise self._lost("it has no sampling frequency that can be set", "Leave frequency out")
            return None
        if wanted is not None:
            self._set(path, f"{wanted:.6f}".rstrip("0").rstrip("."))  # the kernel reads no exponents
        told = self._number(path)
        if wanted is not None and abs(told - wanted) > wanted / 100:
            can = text(path.with_name(f"{path.name}_available"))
            raise self._lost(
                f"it takes {told:g} samples a second, not {wanted:g}", f"It can: {can or 'unknown'}"
            )
        return told or None

    def _clock(self) -> str:
        """Have timestamps of the monotonic clock, where the kernel lets one choose."""
        path = self._folder / "current_timestamp_clock"
        if not path.exists():
            return "realtime"
        if text(path) != "monotonic":
            self._set(path, "monotonic")
        return text(path)

    def _number(self, path: Path) -> float:
        try:
            return float(text(path))
        except ValueError as error:
            raise self._lost(f"{path.name} is no number: {text(path)[:40]!r}", "Set frequency") from error

    def _set(self, path: Path, value: str) -> None:
        try:
            _write(path, value)
        except OSError as error:
            told = (error.strerror or str(error)).lower()
            raise self._lost(f"{path.name} = {value}: {told}", _HINTS.get(told, _REFUSED)) from error

    def _lost(self, problem: str, hint: str) -> SourceLost:
        return SourceLost(_OP, self._folder.name, problem, hint)


def _write(path: Path, value: str) -> None:
    """Write into a file of the kernel: it is not cut short before, which a confined worker may not do."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, f"{value}\n".encode())
    finally:
        os.close(file)
