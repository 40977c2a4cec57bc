"""Sensors under the real agent, in workers that are fully confined."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from agent.confinement import landlock
from tests.simulators import iio_device
from tests.simulators.examples.broker import publishing
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.landlock
CONFINED = {"landlock": landlock.abi(), "seccomp": True}
WINDOW = "window = 256"
"""What the model of vibration takes, of three channels."""


def read(folder: Path, source: str) -> None:
    """Run an agent on a source until it has inferred some of its windows."""
    with RunningAgent(folder, f"source = {{ {source} }}", model="vibration") as agent:
        status = agent.until_inferred(3)
        assert agent.end() == 0
    assert status["confined"] == CONFINED


@pytest.mark.alsa
def test_a_confined_worker_hears_through_arecord(tmp_path: Path) -> None:
    read(tmp_path, f'kind = "microphone", device = "null", channels = 3, {WINDOW}')


def test_a_confined_worker_sets_a_buffered_device_up_and_reads_it(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    with iio_device.device(tmp_path / "board") as device, feeding(device):
        where = f'root = "{device.root}", nodes = "{device.node.parent}", device = "adxl", buffered = true'
        channels = 'channels = ["in_accel_x", "in_accel_y", "in_temp"]'
        read(tmp_path, f'kind = "iio", {where}, {channels}, rate = 2000, {WINDOW}, max_gap_s = 5')
        assert device.told("current_timestamp_clock") == "monotonic"
        assert device.told("buffer/enable") == "0"


@contextmanager
def feeding(device: iio_device.IioDevice) -> Iterator[None]:
    """Have a device give samples of its three channels while its buffer is on."""
    quiet = threading.Event()

    def feed() -> None:
        while not quiet.wait(0.01):
            if device.told("buffer/enable") == "1":
                device.put_raw(b"\x10\0\x20\0\x05\0\0\0" + time.monotonic_ns().to_bytes(8, "little"))

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield
    finally:
        quiet.set()
        feeder.join()


@pytest.mark.mosquitto
def test_a_confined_worker_listens_to_a_broker_and_is_back_soon_after_it_was_gone(
    tmp_path: Path, broker: Broker
) -> None:
    place = f'host = "127.0.0.1", port = {broker.port}, topics = ["pump"], channels = ["/0", "/1", "/2"]'
    source = f'source = {{ kind = "mqtt", {place}, rate = 2000, {WINDOW}, max_gap_s = 5 }}'
    with RunningAgent(tmp_path, source, model="vibration") as agent:
        with publishing(broker.port, "pump", b"[1, 2, 3]"):
            status = agent.until_inferred(3)
            worker = agent.worker
        gone = time.monotonic()
        broker.cut()
        agent.until(lambda _: "source.lost" in agent.log)
        assert time.monotonic() - gone < 5
        broker.restore()
        back = time.monotonic()
        with publishing(broker.port, "pump", b"[1, 2, 3]"):
            agent.until_inferred(1)
        assert time.monotonic() - back < 10  # under 3 s on a machine with nothing else to do
        assert agent.worker == worker
        assert agent.end() == 0
    assert status["confined"] == CONFINED
