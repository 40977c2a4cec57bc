"""Sensors that are there now: files of the kernel's, and a serial port."""

from __future__ import annotations

import os
import threading
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.simulators import plugging
from tests.simulators.examples.example import Example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLLED = {"rate": 500, "window": 4, "max_gap_s": 30}
"""Bridges whatever a loaded machine does to a sensor that is read."""


def monitor(folder: Path) -> dict[str, Any]:
    (folder / "hwmon0").mkdir()
    (folder / "hwmon0/name").write_text("board\n")
    (folder / "hwmon0/temp1_input").write_text("41500\n")
    return {"root": str(folder), "device": "board", "channels": ["temp1"], **POLLED}


def iio_device(folder: Path) -> dict[str, Any]:
    (folder / "iio:device0").mkdir()
    (folder / "iio:device0/name").write_text("adc\n")
    (folder / "iio:device0/in_voltage0_raw").write_text("7\n")
    return {"root": str(folder), "device": "adc", "channels": ["in_voltage0"], **POLLED}


@contextmanager
def talking_port(_: Path) -> Iterator[dict[str, Any]]:
    """A serial port whose sensor never stops."""
    theirs, ours = os.openpty()
    tty.setraw(ours)
    os.set_blocking(theirs, False)
    quiet = threading.Event()

    def talk() -> None:
        while not quiet.wait(0.002):
            with suppress(BlockingIOError):  # nobody listens for now
                os.write(theirs, b"x=1.5\n")

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield {"port": os.ttyname(ours)}
    finally:
        quiet.set()
        talker.join()
        os.close(theirs)
        os.close(ours)


EXAMPLES = {
    "hwmon": Example(
        "windows",
        monitor,
        lambda _: {"rate": 4, "window": 1},
        endless=True,
        plug=plugging.folder_of_the_kernel,
    ),
    "iio": Example(
        "windows",
        iio_device,
        lambda _: {"rate": 4, "window": 1},
        endless=True,
        plug=plugging.folder_of_the_kernel,
    ),
    "serial": Example(
        "windows",
        lambda _: {"port": "/dev/ttyNONE", "pattern": "x=(?P<x>.*)", "baud": 115200, **POLLED},
        lambda _: {"rate": 4, "window": 1},
        endless=True,
        beside=talking_port,
        plug=plugging.port("port", b"x=1.5\n"),
    ),
}
