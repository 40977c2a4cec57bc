"""Delivery over a real mosquitto: it restarts, it forgets, links go half-open; nothing is lost or twice."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.simulators.broker_proxy import BrokerProxy
from tests.simulators.field import Field, asked, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulators.running_agent import RunningAgent

pytestmark = pytest.mark.mosquitto


def online(agent: RunningAgent) -> bool:
    return bool(agent.status()["link"]["state"] == "online")


def acked(agent: RunningAgent) -> int:
    found: int = agent.status()["store"]["streams"]["result"]["acked"]
    return found


def flows(agent: RunningAgent, more: int = 20) -> None:
    """Wait until more has been acknowledged than now."""
    so_far = acked(agent)
    until(lambda: acked(agent) > so_far + more, "results flow")


def judge(field: Field) -> None:
    """All is there, once, and in the order in which it was made."""
    found = field.accounts()
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())
    query = "SELECT frame FROM results WHERE stream = 'result' AND frame IS NOT NULL ORDER BY seq"
    frames = [frame for (frame,) in asked(field.database, query)]
    assert frames == sorted(set(frames))
    assert len(frames) > 40


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_restarts_with_and_without_its_memory_costs_nothing(
    tmp_path: Path, protocol: str
) -> None:
    with Field(tmp_path, "gate") as field:
        with field.agent("gate", protocol=protocol) as agent:
            agent.until_inferred(5)
            flows(agent)
            for forgets in (False, True):
                field.broker.cut()
                until(lambda: not online(agent), "it is seen to be gone")
                if forgets:
                    for path in (tmp_path / "broker").glob("*.db"):
                        path.unlink()
                field.broker.restore()
                flows(agent)
            status = agent.status()
            assert status["link"]["protocol"] == protocol
            assert "device.doubled" not in status["events"]
            field.end(agent)
        field.stop_collector()
        judge(field)
        pieces = asked(
            field.database, "SELECT epoch, count(*) FROM have WHERE stream = 'result' GROUP BY epoch"
        )
        assert {count for _, count in pieces} == {1}


def test_a_half_open_link_is_noticed_while_results_flow_and_costs_nothing(tmp_path: Path) -> None:
    with Field(tmp_path, "gate") as field, BrokerProxy(field.broker.port) as proxy:
        with field.agent("gate", port=proxy.port, keepalive_s=5) as agent:
            agent.until_inferred(5)
            flows(agent)
            began = time.monotonic()
            proxy.strand()
            until(lambda: agent.status()["events"].get("link.lost"), "the half-open link is noticed")
            # Six times resend_s, while the broker confirms nothing; or twice keepalive.
            assert time.monotonic() - began < 13
            until(lambda: online(agent), "a new link is up")
            flows(agent)
            field.end(agent)
        field.stop_collector()
        judge(field)


def test_a_collector_that_stands_still_is_noticed_and_then_gets_all_of_it_once(tmp_path: Path) -> None:
    with Field(tmp_path, "gate") as field:
        with field.agent("gate") as agent:
            agent.until_inferred(5)
            flows(agent)
            os.kill(field.collector_pid, signal.SIGSTOP)
            before = acked(agent)
            try:
                until(lambda: agent.status()["events"].get("batch.resent"), "it is noticed")
                agent.until_inferred(60)
                assert online(agent)
                assert acked(agent) <= before + 30
            finally:
                os.kill(field.collector_pid, signal.SIGCONT)
            flows(agent, 60)
            until(lambda: agent.status()["store"]["backlog"] < 20, "all of it is delivered")
            assert agent.status()["events"].get("link.lost", 0) == 0
            field.end(agent)
        field.stop_collector()
        judge(field)
