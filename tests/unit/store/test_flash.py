from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from agent.store.flash import FlashMeter

MIB = 1 << 20
DAY = 86_400.0


def write(count: int) -> None:
    """Send bytes to storage, not to a file system in memory."""
    with tempfile.TemporaryFile(dir=Path(__file__).parent) as file:
        file.write(os.urandom(count))
        file.flush()
        os.fsync(file.fileno())


@pytest.fixture(autouse=True)
def _counted() -> None:
    meter = FlashMeter(0.0)
    write(MIB)
    if not meter.status(1.0).written:
        pytest.skip("this kernel does not count what a process writes here")


def test_what_is_written_is_counted_from_the_start_on() -> None:
    meter = FlashMeter(0.0)
    assert meter.status(0.0).written == 0
    write(2 * MIB)
    assert 2 * MIB <= meter.status(1.0).written < 3 * MIB


def test_a_young_agents_rate_is_carried_on_for_a_day_and_marked() -> None:
    meter = FlashMeter(0.0)
    write(MIB)
    status = meter.status(DAY / 4)
    assert status.extrapolated
    assert status.per_day == 4 * status.written


def test_after_a_day_only_the_last_day_counts() -> None:
    meter = FlashMeter(0.0)
    write(4 * MIB)
    for hour in range(1, 25):
        before = meter.status(hour * 3600.0)
    write(MIB)
    for hour in range(25, 50):
        after = meter.status(hour * 3600.0)
    assert (before.extrapolated, after.extrapolated) == (False, False)
    assert before.per_day >= 4 * MIB
    assert after.per_day == 0
    assert after.written >= 5 * MIB
