"""The wall clock steps by years under a running agent; only its own opinion of the time may change."""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import unpack
from agent.clock import SystemClock
from agent.demo.broker import Broker
from agent.store.segment import Segment
from tests.simulators.running_agent import CAMERA, RunningAgent
from tests.simulators.wall_clock import compile_wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TEN_YEARS_S = 10 * 365 * 86_400
TABLES = """
[mqtt]
host = "127.0.0.1"
port = {port}
keepalive_s = 5
[trust]
unsigned = true
[metrics]
interval_s = 0.5
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_wall_clock(tmp_path_factory.mktemp("shim"))


class SteppedAgent(RunningAgent):
    """An agent whose wall clock the test moves."""

    def __init__(self, folder: Path, shim: Path, more: str) -> None:
        super().__init__(folder, CAMERA, more)
        self._offset = folder / "offset"
        self.step(0)
        self.environment: Mapping[str, str] = {
            **os.environ,
            "LD_PRELOAD": str(shim),
            "WALL_CLOCK": str(self._offset),
        }

    def step(self, seconds: int) -> None:
        """Set the clock so far from the right time."""
        draft = self._offset.with_suffix(".new")
        draft.write_text(str(seconds))
        draft.rename(self._offset)

    def until_committed(self) -> None:
        """Wait until a result is committed that was dated after this call."""
        dated = self.status()["store"]["streams"]["result"]["accepted"]
        while self.status()["store"]["streams"]["result"]["committed"] <= dated:
            time.sleep(0.02)


@contextmanager
def started(folder: Path) -> Iterator[Broker]:
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def blocks(data: Path, stream: str) -> list[tuple[Mapping[str, Any], list[dict[str, Any]]]]:
    """Give the clock's mark and the records of each block of a stream, in the order of their numbers."""
    found = []
    for path in (data / "segments").glob(f"{stream}-*.db"):
        with closing(Segment.create(path)) as segment:
            for block in segment.read(1, 1 << 30):
                content = unpack(block)
                found.append((block.first, content.clock, content.records))
    return [(clock, records) for _, clock, records in sorted(found, key=lambda one: one[0])]


def test_steps_of_ten_years_and_1970_restart_nothing_and_keep_the_order(tmp_path: Path, shim: Path) -> None:
    steps = [0, TEN_YEARS_S, -TEN_YEARS_S, -int(time.time()) + 60, 0]
    with (
        started(tmp_path / "broker") as broker,
        SteppedAgent(tmp_path, shim, TABLES.format(port=broker.port)) as agent,
    ):
        agent.until_inferred(10)
        while agent.status()["link"]["state"] != "online":
            time.sleep(0.05)
        worker = agent.worker
        for seconds in steps:
            agent.step(seconds)
            agent.until_inferred(40)
            agent.until_committed()
        status = agent.status()
        assert agent.end() == 0
    [pipeline] = status["pipelines"]
    assert (pipeline["restarts"], pipeline["pid"]) == (0, worker)
    assert status["link"]["state"] == "online"
    troubles = {"lane.died", "lane.hung", "link.lost", "store.failed", "ledger.unbalanced"}
    assert not troubles & {*status["events"]}

    kept = blocks(agent.data, "result")
    records = [record for _, part in kept for record in part if record["kind"] != "ledger"]
    captured = [record["captured_ns"] for record in records]
    assert captured == sorted(captured)
    assert [record["frame"] for record in records] == sorted(record["frame"] for record in records)
    years = {1970 + record["wall_ns"] // 10**9 // (365 * 86_400 + 20_926) for record in records}
    assert len(years) == 4
    for clock, part in kept:
        assert clock["boot"] == SystemClock().boot
        before_us = any(record["wall_ns"] < 1_700_000_000 * 10**9 for record in part)
        assert not before_us or clock["synced"] is False
    metrics = [record for _, part in blocks(agent.data, "metric") for record in part]
    moments = [record["captured_ns"] for record in metrics]
    assert moments == sorted(moments)
    span_s = (moments[-1] - moments[0]) / 1e9
    assert len({*moments}) <= span_s / 0.5 + 2, "the interval is one of the monotonic clock"


def test_a_boot_with_an_unset_clock_starts_infers_and_marks_its_rows_until_the_time_is_known(
    tmp_path: Path, shim: Path
) -> None:
    stepped = SteppedAgent(tmp_path, shim, "")
    stepped.step(-int(time.time()) + 60)  # a minute after the epoch: no battery, no network
    with stepped as agent:
        agent.until_inferred(20)
        agent.step(0)
        agent.until_inferred(20)
        assert agent.status()["pipelines"][0]["restarts"] == 0
        assert agent.end() == 0
    unset = [
        (clock, part) for clock, part in blocks(agent.data, "result") if part[0]["wall_ns"] < 86_400 * 10**9
    ]
    assert unset
    assert {clock["synced"] for clock, _ in unset} == {False}
    records = [record for _, part in blocks(agent.data, "result") for record in part]
    assert records[-1]["wall_ns"] > 1_700_000_000 * 10**9
    captured = [record["captured_ns"] for record in records if record["kind"] != "ledger"]
    assert captured == sorted(captured)
