"""A real broker, for tests that need one and no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.demo.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto that has just started; for tests marked ``mosquitto``."""
    made = Broker(tmp_path / "broker", kind="mosquitto")
    made.start()
    yield made
    made.stop()
