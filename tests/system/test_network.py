"""A device whose road to the broker is bad, narrow, cut, or open one way only: all arrives, and arrives once.

Each story has a device, a road, a broker and a collector of its own; all of them run at the same time, since
most of it is waiting. EDGE_AGENT_TESTS_PARTITION_S=N keeps the road cut for longer.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulators.collected import ranges_of
from tests.simulators.field import until
from tests.system.road import FarField

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulators.collected import Accounts
    from tests.simulators.running_agent import RunningAgent

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

CUT_S = float(os.environ.get("EDGE_AGENT_TESTS_PARTITION_S", "10"))
FPS = 20
FAST, CAP = 100, 16_000
"""Of the device whose road is cut, frames/s and bytes/s: so that what waits takes many batches."""


def online(agent: RunningAgent) -> bool:
    return bool(agent.status()["link"]["state"] == "online")


def committed(agent: RunningAgent) -> int:
    return int(agent.status()["store"]["streams"]["result"]["committed"])


def acked(agent: RunningAgent) -> int:
    return int(agent.status()["link"]["streams"]["result"]["acked"])


def settled(field: FarField, agent: RunningAgent) -> Accounts:
    """Stop the agent when it has delivered all; nothing may be missing, lost, or there twice."""
    assert agent.pipeline()["balanced"]
    field.end(agent)
    found: list[Accounts] = []

    def clear() -> bool:
        found[:] = [field.accounts()]
        return (found[0].missing, found[0].lost, found[0].duplicated, found[0].unbalanced) == (0, 0, 0, ())

    until(clear, "all is at the collector, once")
    return found[0]


def delivering(agent: RunningAgent, more: int = 20) -> None:
    """Wait until ``more`` further results are acknowledged."""
    agent.until(lambda _: online(agent), 60)
    first = acked(agent)
    until(lambda: acked(agent) >= first + more, "results are acknowledged", 60)


def lossy(field: FarField, agent: RunningAgent) -> None:
    delivering(agent)
    before = field.road(delay_ms=150, jitter_ms=40, loss=0.2, reorder=0.05)
    delivering(agent, 5 * FPS)
    settled(field, agent)
    after = field.road()
    assert after["lost"] - before.get("lost", 0) > 10


def cut(field: FarField, agent: RunningAgent) -> None:
    delivering(agent)
    field.road(down=True)
    until(lambda: not online(agent), "the cut is noticed", 40)
    kept = committed(agent)
    until(lambda: committed(agent) > kept + CUT_S * FAST, "results are kept", 3 * CUT_S + 40)
    epoch = agent.status()["store"]["epoch"]
    field.road(kbit_s=160)
    with closing(sqlite3.connect(f"file:{field.database}?mode=ro", uri=True)) as db:
        until(lambda: len(ranges_of(db, epoch)) > 1, "live results arrive before the backlog has", 60)
        until(lambda: len(ranges_of(db, epoch)) == 1, "the backlog arrives", 60)
    field.road()
    settled(field, agent)


def half_open(side: int) -> Callable[[FarField, RunningAgent], None]:
    def story(field: FarField, agent: RunningAgent) -> None:
        delivering(agent)
        field.road(**{"from": side, "down": True})
        until(lambda: not online(agent), "it is noticed", 40)
        field.road()
        delivering(agent)
        settled(field, agent)

    return story


def black_hole(field: FarField, agent: RunningAgent) -> None:
    delivering(agent)
    field.road(longest=400)
    until(lambda: "link.lost" in agent.log, "it is told", 40)
    until(lambda: field.connections("gate") > 2, "it is tried again, and given up again", 40)
    field.road()
    delivering(agent)
    settled(field, agent)


STORIES = {
    "lossy": lossy,
    "cut": cut,
    "deaf broker": half_open(0),
    "deaf device": half_open(1),
    "black hole": black_hole,
}


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[None]]:
    """All stories, told."""
    if lacking := [name for name in ("mosquitto", "ip") if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)} (Debian: mosquitto, iproute2)")
    if not Path("/dev/net/tun").exists():
        pytest.skip("needs /dev/net/tun: modprobe tun")
    with ThreadPoolExecutor(len(STORIES)) as pool:
        return {
            name: pool.submit(told, tmp_path_factory.mktemp(name.replace(" ", "-")), story)
            for name, story in STORIES.items()
        }


def told(folder: Path, story: Callable[[FarField, RunningAgent], None]) -> None:
    """Tell one story to its end."""
    with FarField(folder, "gate") as field:
        agent = field.agent("gate")
        text = agent.config.read_text().replace("fps = 50", f"fps = {FAST if story is cut else FPS}")
        if story is cut:
            text = text.replace("[mqtt]", f"[mqtt]\nmax_bytes_per_s = {CAP}")
        agent.config.write_text(text)
        with agent:
            story(field, agent)


def test_a_road_that_loses_a_fifth_of_the_packets_and_takes_300_ms_brings_all_once(
    stories: dict[str, Future[None]],
) -> None:
    stories["lossy"].result()


def test_a_cut_road_is_noticed_and_then_live_results_do_not_wait_for_the_backlog(
    stories: dict[str, Future[None]],
) -> None:
    stories["cut"].result()


@pytest.mark.parametrize("end", ["broker", "device"])
def test_a_road_that_is_open_one_way_only_is_noticed_and_costs_nothing(
    stories: dict[str, Future[None]], end: str
) -> None:
    stories[f"deaf {end}"].result()


def test_a_road_that_swallows_long_packets_is_told_instead_of_waited_for(
    stories: dict[str, Future[None]],
) -> None:
    stories["black hole"].result()
