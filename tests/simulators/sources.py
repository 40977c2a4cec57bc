"""Sources to run the contract on: what each is opened with, and gives."""

from __future__ import annotations

import os
import threading
import tty
import wave
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from tests.simulators.cameras import Cameras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

FRAMES = 8
POLLED = {"rate": 200, "window": 4, "max_gap_s": 30}
"""Bridges whatever a loaded machine does to a sensor that is read."""


def video_file(folder: Path) -> str:
    path = str(folder / "grey.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 4, (64, 48))
    for number in range(FRAMES):
        writer.write(np.full((48, 64, 3), 20 + 25 * number, np.uint8))
    writer.release()
    return path


def picture_folder(folder: Path) -> str:
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((20 + number, 30, 3), 25 * number, np.uint8))
    return str(folder)


def wav_file(folder: Path) -> str:
    path = folder / "rising.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(400)
        file.writeframes(np.arange(2 * 100 * FRAMES, dtype="<i2").tobytes())
    return str(path)


def csv_file(folder: Path) -> str:
    path = folder / "rising.csv"
    path.write_text("x,y\n" + "".join(f"{row},{row / 7}\n" for row in range(5 * FRAMES)))
    return str(path)


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


def camera(_: Path) -> dict[str, Any]:
    return {"device": Cameras.here().plug(modes=("YUYV 64x48@100",))}


@contextmanager
def talking_port() -> Iterator[dict[str, Any]]:
    """A serial port whose sensor never stops."""
    theirs, ours = os.openpty()
    tty.setraw(ours)
    os.set_blocking(theirs, False)
    quiet = threading.Event()

    def talk() -> None:
        while not quiet.wait(0.004):
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


@contextmanager
def no_more() -> Iterator[dict[str, Any]]:
    """Nothing runs beside."""
    yield {}


@dataclass(frozen=True)
class Example:
    """What a source is tested with.

    Attributes:
        gives: pictures, or windows of samples.
        options: give ``FRAMES`` frames.
        live: further ones for a pace of its own, if the source has one: four frames a second.
        endless: it gives frames for ever, and none of them twice.
        beside: what runs beside the source, and more options for it.
    """

    gives: Literal["pictures", "windows"]
    options: Callable[[Path], dict[str, Any]]
    live: dict[str, Any] | None = None
    endless: bool = False
    beside: Callable[[], AbstractContextManager[dict[str, Any]]] = no_more


EXAMPLES = {
    "camera": Example("pictures", camera, {"fps": 4}, endless=True),
    "hwmon": Example("windows", monitor, {"rate": 4, "window": 1}, endless=True),
    "iio": Example("windows", iio_device, {"rate": 4, "window": 1}, endless=True),
    "images": Example("pictures", lambda folder: {"paths": [picture_folder(folder)]}),
    "samples": Example(
        "windows", lambda folder: {"path": csv_file(folder), "rate": 20, "window": 5}, {"realtime": True}
    ),
    "serial": Example(
        "windows",
        lambda _: {"port": "/dev/ttyNONE", "pattern": "x=(?P<x>.*)", "baud": 115200, **POLLED},
        {"rate": 4, "window": 1},
        endless=True,
        beside=talking_port,
    ),
    "synthetic": Example(
        "pictures", lambda _: {"width": 64, "height": 48, "fps": 0, "frames": FRAMES, "blur": 0.5}, {"fps": 4}
    ),
    "synthetic_sensor": Example(
        "windows", lambda _: {"speed": 0, "frames": FRAMES, "hop": 400, "faults": 0.9}, {"speed": 1}
    ),
    "video": Example("pictures", lambda folder: {"path": video_file(folder)}, {"realtime": True}),
    "wav": Example("windows", lambda folder: {"path": wav_file(folder), "window": 100}, {"realtime": True}),
}
