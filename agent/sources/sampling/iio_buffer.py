"""Samples that the kernel has collected of an IIO device, from its node in /dev."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import SourceLost
from agent.sources.sampling.iio import scaling
from agent.sources.sampling.iio_settings import Settings
from agent.sources.sampling.pcm import Clock
from agent.sources.sampling.scan import Scan
from agent.sources.sampling.wav import dated

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sources.sampling.iio_settings import Ready, Wanted
    from agent.types import Array

_CLOCKS = {
    "realtime": time.CLOCK_REALTIME,
    "realtime_coarse": time.CLOCK_REALTIME,
    "monotonic": time.CLOCK_MONOTONIC,
    "monotonic_coarse": time.CLOCK_MONOTONIC,
    "monotonic_raw": time.CLOCK_MONOTONIC_RAW,
    "boottime": time.CLOCK_BOOTTIME,
    "tai": time.CLOCK_TAI,
}
"""What current_timestamp_clock may say: Documentation/ABI/testing/sysfs-bus-iio."""
_RECORDS = 1024
_SLEWED_NS = 1_000_000
_ASTRAY_S = 5.0
"""A timestamp that is so far from now is of another clock, or of none."""


class Buffer:
    """Implements ``Feed``. The device is stopped when it is closed.

    Args:
        folder: of the device.
        node: its node in /dev.
        name: what errors call it.
        wanted: what is to be read, and how.

    Raises:
        SourceLost: the device is away, in use, or does not obey.
    """

    def __init__(self, folder: Path, node: str, name: str, wanted: Wanted) -> None:
        self._name = name
        meaning = [scaling(folder, one) for one in wanted.channels]
        settings = Settings(folder)
        self._fd = _open(node, name)  # whoever has it open owns it
        self._settings = settings
        try:
            ready = settings.set_up(wanted)
            self._stamps = _Stamps(name, ready)
            settings.start()
        except SourceLost:
            self.close()
            raise
        self._scan = Scan(ready.elements)
        self._stamped = bool(ready.clock)
        values = ready.elements[: len(wanted.channels)]
        self._scales = np.repeat([one for one, _ in meaning], [one.repeat for one in values])
        self._offsets = np.repeat([one for _, one in meaning], [one.repeat for one in values])
        self.channels = len(self._scales)
        self.date = self._stamps.monotonic
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    @property
    def name(self) -> str:
        """The device's name."""
        return self._name

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Wait for records, and give their samples in the kernel's units.

        Raises:
            SourceLost: the device is gone.
        """
        self._poll.poll(timeout_s * 1000)  # a device that is unplugged makes no event: only reading tells
        try:
            data = os.read(self._fd, _RECORDS * self._scan.size)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._gone((error.strerror or str(error)).lower()) from error
        if not data:
            raise self._gone("its node has no more to give")
        data = self._rest + data
        whole = len(data) // self._scan.size * self._scan.size
        self._rest = data[whole:]
        if not whole:
            return []
        found = self._scan.numbers(data[:whole])
        stamps = found.pop()[:, 0] if self._stamped else None
        values = (np.concatenate(found, axis=1).astype(np.float64) + self._offsets) * self._scales
        times = self._stamps.of(stamps, len(values))
        return [times if isinstance(times, str) else (times, values)]

    def close(self) -> None:
        """Stop the device, and close its node. Idempotent."""
        if self._fd >= 0:
            self._settings.stop()
            os.close(self._fd)
            self._fd = -1

    def _gone(self, problem: str) -> SourceLost:
        hint = "Check that it is plugged in, and its driver loaded; dmesg tells more"
        return SourceLost("read sensor", self._name, problem, hint)


class _Stamps:
    """Dates records: by the kernel's timestamps, or by counting them where there are none."""

    def __init__(self, name: str, ready: Ready) -> None:
        if ready.clock and ready.clock not in _CLOCKS:
            hint = "Write monotonic into its file current_timestamp_clock"
            raise SourceLost("set up sensor", name, f"its clock {ready.clock[:40]!r} is not known", hint)
        if not ready.clock and ready.frequency is None:
            hint = "Leave buffered out"
            raise SourceLost(
                "set up sensor", name, "it has neither timestamps nor a sampling frequency", hint
            )
        self._clock = _CLOCKS.get(ready.clock, time.CLOCK_MONOTONIC)
        self._frequency = ready.frequency or 1.0
        self._counted = None if ready.clock else Clock(self._frequency)
        self._count = 0
        self._offset = 0

    def of(self, stamps: Array | None, count: int) -> Array | str:
        """Give the times of records, or why they are not known: int64 (count), nanoseconds.

        Args:
            stamps: as they came, of the device's clock; None where they are counted.
            count: records.
        """
        now = time.monotonic_ns()
        if self._counted is not None or stamps is None:
            self._count += count
            if self._counted is not None:
                self._counted.heard(self._count, now)
            return dated(self._count - count, count, self._frequency)
        if self._clock != time.CLOCK_MONOTONIC:
            offset = now - time.clock_gettime_ns(self._clock)
            if abs(offset - self._offset) > _SLEWED_NS:  # less is what it takes to ask both
                self._offset = offset
        times: Array = stamps.astype(np.int64) + self._offset
        astray = (int(times[-1]) - now) / 1e9
        if abs(astray) > _ASTRAY_S:
            return f"its timestamps are {abs(astray):.1f} s {'ahead' if astray > 0 else 'behind'}"
        return times

    def monotonic(self, time_ns: int) -> int:
        """Give when a record was measured, CLOCK_MONOTONIC."""
        return time_ns if self._counted is None else self._counted.monotonic(time_ns)


def _open(path: str, name: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        hint = {
            "permission denied": "Let a udev rule give the node to the agent's user: docs/sensors.md has one",
            "device or resource busy": "Stop the program that reads it: sudo fuser -v names it",
        }.get(told, "Check that the kernel has buffers for this device: CONFIG_IIO_BUFFER")
        raise SourceLost("open sensor", name, f"{path}: {told}", hint) from error
