"""An IIO device with a buffer: the files that the kernel shows it in, and a named pipe as its node."""

from __future__ import annotations

import os
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STEP_NS = 10**7
"""Between two samples: 100 a second."""


class IioDevice:
    """An accelerometer of two axes, 12 bits each, with timestamps unless ``stamped`` says otherwise.

    Attributes:
        folder: of the device, in the tree ``root``.
    """

    def __init__(self, root: Path, *, stamped: bool = True) -> None:
        self.root = root
        self.folder = root / "iio:device0"
        self.stamped = stamped
        self.file("name", "adxl")
        self.file("sampling_frequency", "100")
        self.file("current_timestamp_clock", "realtime")
        self.file("in_accel_scale", "0.5")
        self.file("buffer/enable", "0")
        self.file("buffer/length", "2")
        self.file("buffer/watermark", "1")
        self.file("trigger/current_trigger", "")
        for index, axis in enumerate(("x", "y")):
            self.file(f"in_accel_{axis}_raw", "0")
            self.channel(f"in_accel_{axis}", index, "le:s12/16>>4")
        self.channel("in_temp", 2, "be:u8/8>>0")
        (self.folder / "scan_elements/in_temp_en").write_text("1\n")
        if stamped:
            self.channel("in_timestamp", 3, "le:s64/64>>0")
        os.mkfifo(self.node)
        self._end = os.open(self.node, os.O_RDWR | os.O_NONBLOCK)

    @property
    def node(self) -> Path:
        """What stands for its node."""
        return self.root.parent / "iio:device0"

    def channel(self, name: str, index: int, told: str) -> None:
        """Let the buffer have one more channel."""
        self.file(f"scan_elements/{name}_en", "0")
        self.file(f"scan_elements/{name}_index", str(index))
        self.file(f"scan_elements/{name}_type", told)

    def file(self, name: str, text: str) -> None:
        """Make a file of the kernel's."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def told(self, name: str) -> str:
        """Give what a file says by now."""
        return (self.folder / name).read_text().strip()

    def put(self, rows: Sequence[tuple[int, int]], stamps: Sequence[int] = ()) -> None:
        """Give records of both axes."""
        data = b""
        for at, (x, y) in enumerate(rows):
            data += struct.pack("<hh", x << 4, y << 4)
            data += struct.pack("<4xq", stamps[at]) if self.stamped else b""
        self.put_raw(data)

    def put_raw(self, data: bytes) -> None:
        """Give bytes of records."""
        os.write(self._end, data)

    def options(self, **more: Any) -> dict[str, Any]:
        """What it is opened with."""
        where = {"root": str(self.root), "nodes": str(self.node.parent), "device": "adxl", "buffered": True}
        return {**where, "channels": ["in_accel_y", "in_accel_x"], "rate": 100, "window": 2, **more}

    def unplug(self) -> None:
        """Let the node end."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1


@contextmanager
def device(folder: Path, **more: Any) -> Iterator[IioDevice]:
    """Plug a device in."""
    root = folder / "devices"
    root.mkdir()
    found = IioDevice(root, **more)
    try:
        yield found
    finally:
        found.unplug()


def stamps(count: int, *, first: int | None = None) -> list[int]:
    """Give timestamps in a row, of which the last is about now, or the first ``first``."""
    begin = time.monotonic_ns() - count * STEP_NS if first is None else first
    return [begin + at * STEP_NS for at in range(count)]
