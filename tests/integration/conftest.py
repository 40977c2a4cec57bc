"""A real broker, and the command line, for tests that need no more of either."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.cli import main as cli
from agent.demo.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto that has just started; for tests marked ``mosquitto``."""
    made = Broker(tmp_path / "broker", kind="mosquitto")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs edge-agent: give its exit code, and what it prints."""

    def ran(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run([str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return ran
