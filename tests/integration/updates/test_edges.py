"""The updater as a process: on a board without a clock, and against brokers that flood it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from agent import BUILT
from tests.simulators.hostile_broker import SUBACK, SUBSCRIBE, HostileBroker, Packet, frame, length, publish
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.update_world import OLD, World
from tests.simulators.updating import Device
from tests.simulators.wall_clock import compile_wall_clock

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.link.versions import Choice

MORE = 6 << 20
"""Bytes of memory that a flood may cost: one packet of the largest size is being read."""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_wall_clock(tmp_path_factory.mktemp("shim"))


@pytest.mark.mosquitto
def test_a_board_at_1970_takes_what_is_current_and_remembers_its_date(world: World, shim: Path) -> None:
    device = world.device()
    outcome, _ = device.update_in_a_process(OLD, environment=at_1970(device.folder, shim))
    assert outcome.verdict == "accepted"
    assert device.floors["clock"] == int(world.fleet.now.timestamp())


@pytest.mark.mosquitto
def test_a_board_at_1970_refuses_what_had_expired_when_the_agent_was_built(
    one_broker: Broker, tmp_path: Path, shim: Path
) -> None:
    fleet = TufFleet(datetime.fromtimestamp(BUILT, UTC) - timedelta(days=20))
    device = World(one_broker.port, tmp_path, fleet).device()
    outcome, _ = device.update_in_a_process(OLD, environment=at_1970(device.folder, shim))
    assert outcome.verdict == "MetadataRefused"
    assert "timestamp: it has expired" in str(outcome.error)
    assert "this device's clock runs behind" in str(outcome.error)


def at_1970(folder: Path, shim: Path) -> dict[str, str]:
    folder.mkdir()
    offset = folder / "offset"  # where a confined updater can read it
    offset.write_text(str(100 - int(time.time())))
    return {"LD_PRELOAD": str(shim), "WALL_CLOCK": str(offset)}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_message_of_100_mb_and_a_storm_before_it_cost_no_memory(protocol: Choice, tmp_path: Path) -> None:
    five = protocol == "5"
    storm = publish(b"edge/v1/barn/tuf/blob/x", bytes(1 << 20), five=five) * 20

    def flood(packet: Packet) -> bytes:
        granted = frame(SUBACK << 4, packet.body[:2] + (b"\0" if five else b"") + b"\0")
        return granted + storm + b"\x30" + length(100 << 20) + bytes(100 << 20)

    peaks = []
    for answer in (lambda _: None, flood):
        with HostileBroker({SUBSCRIBE: answer}) as broker:
            device = Device(tmp_path, TufFleet().root, broker.port)
            device.settings = replace(device.settings, protocol=protocol)
            outcome, peak = device.update_in_a_process(OLD)
            assert outcome.verdict == "LinkLost"
            peaks.append(peak)
    assert "it began a packet of 104857600 bytes" in str(outcome.error)
    assert peaks[1] - peaks[0] < MORE
