"""The newest desired state of a device stays where it is, however slow the way to the broker is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.documents.desired import Desired, Wanted, encode
from agent.fleet.keys import make_keys
from agent.fleet.repository import desired
from agent.fleet.repository.repository import opened
from agent.fleet.repository.wire import Wire
from agent.link import topics
from agent.link.settings import LinkSettings
from tests.simulators.broker_proxy import BrokerProxy
from tests.simulators.operating import ask, operator
from tests.simulators.tuf_topics import put

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto


def state(generation: int) -> Desired:
    models = {f"pipeline-{number}": Wanted(name="n" * 60, version="1" * 30) for number in range(60)}
    return Desired(fleet="default", device="gate", generation=generation, models=models)


def test_a_newer_desired_state_that_comes_slowly_is_not_taken_for_lost(
    broker: Broker, tmp_path: Path, quick_keys: None
) -> None:
    folder = operator(tmp_path / "keys")
    make_keys(folder, ["gate"])
    with opened(folder, ask) as repository, BrokerProxy(broker.port, bytes_per_s=7000) as proxy:
        control = repository.keys.control()
        (folder / "devices/gate.desired.json").write_bytes(encode(state(3), control))
        put(broker.port, topics.down_desired("default", "gate"), encode(state(4), control))
        with Wire(LinkSettings("127.0.0.1", broker.port, "edgectl"), "default") as wire:
            slow = LinkSettings("127.0.0.1", proxy.port, "edgectl")
            assert desired.heal(wire, slow, repository, "default") == []
