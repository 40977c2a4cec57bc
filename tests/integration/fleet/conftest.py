"""Both kinds of database, for tests of the collector; an operator and his broker, for those of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators.edgectl import Edgectl
from tests.simulators.operating import PASSPHRASE, cheap_keys, make_bundle, operator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker

FILES = {"m.tflite": b"0123456789" * 1000, "g.npy": b"input"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fleet.db'}"
    made: str = request.getfixturevalue("postgresql").url()
    return made


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keys that cost next to nothing, and their passphrase."""
    monkeypatch.setenv("EDGECTL_PASSPHRASE", PASSPHRASE)
    with cheap_keys():
        yield


@pytest.fixture
def edgectl(tmp_path: Path, broker: Broker, quick_keys: None) -> Edgectl:
    """The operator's command line, with a folder and a broker."""
    return Edgectl(operator(tmp_path / "keys"), broker.port)


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A bundle of eleven chunks."""
    return make_bundle(tmp_path / "shapes", files=FILES, chunk=1024)
