"""A filter that makes an event of every so many frames, as an installed plugin, and an agent that has it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import FrameInfo, Result

METADATA = "Metadata-Version: 2.1\nName: eventful\nVersion: 1\n"
ENTRY_POINTS = "[edge_agent.filters]\neventful = eventful\n"
PYTHON = "EDGE_AGENT_TESTS_PYTHON"


class Options(BaseModel):
    """When there is an event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: int = 0
    """The number of the first frame that has one; where that is dropped, the next."""
    every: int = 1
    """And from then on one frame of so many, at the most."""


class Eventful:
    """Implements ``Filter``."""

    def __init__(self, options: Options) -> None:
        self._every = options.every
        self._next = options.first

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        if frame.seq < self._next:
            return result
        self._next = frame.seq + self._every
        return replace(result, events=({"event": "glyph.seen", "label": "a"},))


def build(options: Options) -> Eventful:
    return Eventful(options)


def installed(folder: Path) -> str:
    """Install it for the workers that are started with the Python whose path is given."""
    from tests.simulators.plugin_installing import install  # only here: what is installed has no tests

    return install(folder, __file__, METADATA, ENTRY_POINTS)


if __name__ == "__main__":
    from agent.cli.main import main

    sys.executable = os.environ[PYTHON]  # what it starts its workers with
    main()
