"""What tests of the updater get: a broker, and a fleet of their own on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.demo.broker import Broker
from tests.simulators.update_world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def one_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A mosquitto that all fleets of a module share."""
    made = Broker(tmp_path_factory.mktemp("broker"), kind="mosquitto")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def world(one_broker: Broker, tmp_path: Path) -> World:
    """Give a fleet that was published a moment ago."""
    return World(one_broker.port, tmp_path)
