"""A household sees the device without configuration: real agent, real broker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.simulators.home import Home, value
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
_HASTE = {**os.environ, "EDGE_AGENT__SHUTDOWN_DRAIN_S": "0.1"}


class _Hasty(RunningAgent):
    """One that does not wait for a collector at its end: there is none."""

    environment = _HASTE


TOPIC = "homeassistant/device/gate-1/config"


def _tables(broker: Broker, *, enabled: bool) -> str:
    said = str(enabled).lower()
    return (
        f'[device]\nid = "gate-1"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        f"[trust]\nunsigned = true\n[home_assistant]\nenabled = {said}\nevery_s = 1\n"
    )


def test_a_household_sees_each_sensor_its_values_and_whether_the_device_is_there(
    tmp_path: Path, broker: Broker
) -> None:
    with _Hasty(tmp_path, more=_tables(broker, enabled=True)) as agent:
        agent.until_inferred()
        with Home(broker.port) as home:  # it starts later than the device, and finds what is retained
            found = home.discovered()
            assert {
                "temperature",
                "backlog",
                "uptime",
                "door-label",
                "door-problem",
            } <= found.components.keys()
            ids = [one.unique_id for one in found.components.values()]
            assert len(ids) == len(set(ids))
            first = home.until(lambda topic, _: topic == found.state_topic)
            second = home.until(
                lambda topic, body: (
                    topic == found.state_topic
                    and value(found.components["door-rate"].value_template, body) > 0
                )
            )
            assert {
                name for name, one in found.components.items() if _missing(one.value_template, first)
            } == set()
            assert value(found.components["door-state"].value_template, second) == "running"
            assert value(found.components["door-problem"].value_template, second) == "OFF"
            assert value(found.components["door-label"].value_template, second)
            assert agent.end() == 0
            away = home.until(lambda topic, body: topic == found.availability[0].topic and b"false" in body)
            assert orjson.loads(away)["online"] is False


def _missing(template: str, state: bytes) -> bool:
    try:
        value(template, state)
    except KeyError:
        return True
    return False


def test_what_is_switched_off_is_taken_away_from_the_household(tmp_path: Path, broker: Broker) -> None:
    with _Hasty(tmp_path, more=_tables(broker, enabled=True)) as agent, Home(broker.port) as home:
        home.discovered()
        home.until(lambda topic, _: topic.endswith("/up/ha"))
        assert agent.end() == 0
        with _Hasty(tmp_path, more=_tables(broker, enabled=False)) as off:
            home.until(lambda topic, payload: topic.endswith("/up/ha") and payload == b"")
            home.until(lambda topic, payload: topic == TOPIC and payload == b"")
            off.until(lambda _: not (tmp_path / "data" / "home-assistant.json").exists())
            assert off.end() == 0
