"""SIGKILL of the agent, its workers and the collector: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.kills import killed, report
from tests.simulators.kill_points import POINTS

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("EDGE_AGENT_TESTS_KILLS", "30"))
"""Two of three at named states; 30 reach all of these, 1,000 take half an hour: python -m tests.kills."""


@pytest.mark.mosquitto
@pytest.mark.timeout(3600)
def test_kills_at_every_state_lose_nothing_and_all_is_back_within_two_seconds(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    kills, found = killed(tmp_path, KILLS, seed=5, say=lambda _: None)
    assert found.stored > 50 * KILLS
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ()), report(
        kills, found
    )
    named = {point.name for point in POINTS}
    assert len(named & {kill.name for kill in kills}) >= min(len(named), KILLS - KILLS // 3)
    back_s = min(kill.back_s for kill in kills if kill.victim == "agent")
    assert back_s < max(2, 6 * _start_s())  # a start is a third of a second where nothing else computes


def _start_s() -> float:
    """What a start of the program takes now, at the least."""
    took = []
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "agent.cli.main", "--help"], check=True, capture_output=True)
        took.append(time.monotonic() - began)
    return min(took)
