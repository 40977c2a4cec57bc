"""A source whose driver hangs is ended with its process, and what comes after it is served by a new one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.simulators.running_agent import RunningAgent, until_gone

if TYPE_CHECKING:
    from pathlib import Path

HASTE = "[deadlines]\ncapture_s = 1.0\n"


def monitor(root: Path) -> str:
    """Make a monitor of three temperatures; give the source that reads it."""
    device = root / "hwmon0"
    device.mkdir(parents=True)
    (device / "name").write_text("board\n")
    for number in (1, 2, 3):
        (device / f"temp{number}_input").write_text("41500\n")
    channels = '["temp1", "temp2", "temp3"]'
    return (
        f'source = {{ kind = "hwmon", root = "{root}", device = "board", channels = {channels}, '
        "rate = 500, window = 256, hop = 50, max_gap_s = 30 }"
    )


def test_a_read_that_hangs_is_ended_with_its_process_and_a_new_one_goes_on(tmp_path: Path) -> None:
    source = monitor(tmp_path / "monitors")
    sensor = tmp_path / "monitors/hwmon0/temp2_input"
    with RunningAgent(tmp_path, source, HASTE, model="vibration") as agent:
        agent.until_inferred(5)
        hung = agent.worker
        held = sensor.rename(tmp_path / "held")
        os.mkfifo(sensor)  # who opens it waits for ever, as before a bus that is stuck
        agent.until(lambda _: "lane.hung door doing=capture thread in capture" in agent.log)
        assert until_gone(hung)
        held.replace(sensor)
        found = agent.until(lambda pipeline: pipeline["pid"] not in {None, hung} and pipeline["fps"] > 0)
        assert found["balanced"]
        agent.until_inferred(5)
        assert agent.end() == 0
    _, ledger = agent.stored()
    assert ledger["inferred"] >= 10
    assert ledger["in_flight"] == 0
