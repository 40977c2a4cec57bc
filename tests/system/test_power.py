"""A board whose power goes and comes back: all that was committed is there, and the service is, by itself."""

from __future__ import annotations

import json
import os
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.accounts import DATABASE, delivered
from tests.system.booted import UNIT
from tests.system.line import EDGECTL, LINE, collected, delivering, drained, lay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

CUTS = int(os.environ.get("EDGE_AGENT_TESTS_POWER_CUTS_SYSTEM", "3"))


@pytest.fixture(scope="module")
def home(board: Container) -> Container:
    """The board with the whole line on it, which starts when it boots."""
    lay(board)
    board.write("/etc/edge-agent/agent.toml", LINE)
    assert board.run("systemctl", "enable", "--now", UNIT).returncode == 0
    board.run("sync")
    return board


def committed(machine: Container) -> dict[tuple[str, str], int]:
    """Give what the agent says it has committed since its start, by stream and epoch."""
    status = machine.status()
    assert status is not None
    store = status["store"]
    return {(stream, store["epoch"]): one["committed"] for stream, one in store["streams"].items()}


def test_the_service_is_back_after_a_reboot_in_a_new_epoch_and_its_backlog_is_there(home: Container) -> None:
    home.run("systemctl", "disable", "--now", "broker")
    before: dict[str, Any] = {}

    def kept() -> bool:
        status = home.status()
        before.update(status["store"] if status else {})
        return bool(status and status["link"]["state"] != "online" and before["backlog"] > 50)

    home.until(kept, "keep results", 40)  # what was acknowledged before the broker went is no backlog
    home.reboot()
    after = home.inferring()["store"]
    assert after["backlog"] >= before["backlog"]
    assert after["epoch"] != before["epoch"]
    assert home.run("systemctl", "enable", "--now", "broker").returncode == 0
    drained(home)


@pytest.mark.timeout(60 + 60 * CUTS)
def test_power_cuts_while_results_are_written_and_delivered_lose_nothing(
    home: Container, tmp_path: Path
) -> None:
    noise = random.Random(10)
    known: dict[tuple[str, str], int] = {}
    for _ in range(CUTS):
        delivering(home, 10)
        time.sleep(noise.random())
        known |= committed(home)
        home.cut()
        home.boot()
    home.agent("store", "verify")
    drained(home)
    known |= committed(home)

    def arrived() -> bool:
        query = "SELECT stream, epoch, last FROM have WHERE first = 1"
        have = {(stream, epoch): last for stream, epoch, last in collected(home, query)}
        return all(have.get(place, 0) >= last for place, last in known.items())

    home.until(arrived, "deliver all that", 60)  # a stop waits for a while only
    found = delivered(home, tmp_path, known)
    assert len({epoch for _, epoch in known}) == CUTS + 1
    assert found.stored >= sum(known.values())
    # What a cut took of the frames on their way is told as lost, and nothing else is missing.
    told = home.run(EDGECTL, "gaps", "gate-1", "--from", "1h", "--db", f"sqlite:///{DATABASE}", "--json")
    report = json.loads(told.stdout)
    assert report["missing"] == []
    frames = report["pipelines"]["door"]
    assert frames.pop("captured") == sum(frames.values())
    assert frames.keys() <= {"inferred", "gated", "lost", "lost in flight", "dropped overwritten"}
