"""A collector's store in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.fleet.collecting.warehouse import Warehouse
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.db"


@pytest.fixture
def warehouse(path: Path) -> Iterator[Warehouse]:
    with Warehouse(path, clock=ManualClock()) as made:
        yield made
