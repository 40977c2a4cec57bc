"""A Modbus unit over TCP, and an adapter to a CAN bus on a serial port."""

from __future__ import annotations

import os
import threading
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.simulators import plugging
from tests.simulators.examples.example import Example
from tests.simulators.examples.sensors import POLLED
from tests.simulators.modbus_units import UNIT, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def modbus_unit(_: Path) -> Iterator[dict[str, Any]]:
    """A Modbus unit over TCP."""
    with served() as where:
        yield {"port": where.port}


@contextmanager
def talking_adapter(_: Path) -> Iterator[dict[str, Any]]:
    """An adapter on a serial port, to a bus that is never quiet."""
    theirs, ours = os.openpty()
    tty.setraw(ours)
    os.set_blocking(theirs, False)
    quiet = threading.Event()

    def talk() -> None:
        while not quiet.wait(0.004):
            with suppress(BlockingIOError):  # nobody listens for now
                os.write(theirs, b"t12320C80\r")

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield {"channel": os.ttyname(ours)}
    finally:
        quiet.set()
        talker.join()
        os.close(theirs)
        os.close(ours)


EXAMPLES = {
    "can": Example(
        "windows",
        lambda _: {
            "channel": "/dev/ttyNONE",
            "signals": [{"name": "rpm", "id": 0x123, "start": 0, "length": 16, "scale": 0.25}],
            **POLLED,
            "silence_s": 60,
        },
        lambda _: {"rate": 4, "window": 1},
        endless=True,
        beside=talking_adapter,
        plug=plugging.port("channel", b"t12320C80\r"),
    ),
    "modbus": Example(
        "windows",
        lambda _: {
            "host": "127.0.0.1",
            "unit": UNIT,
            "registers": [{"name": "speed", "address": 0x10, "type": "float32"}],
            "timeout_s": 10,
            **POLLED,
            "silence_s": 60,
        },
        lambda _: {"rate": 4, "window": 1},
        endless=True,
        beside=modbus_unit,
        plug=plugging.modbus_unit,
    ),
}
