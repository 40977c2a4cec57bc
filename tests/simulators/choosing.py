"""Which sources a contract is asked of: parameters for the fixture ``name``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent import plugins
from tests.simulators.examples import EXAMPLES, Example

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN = {"camera": [pytest.mark.cameras], "rtsp": [pytest.mark.rtsp]}
"""What a source's tests need."""


def choose(which: Callable[[Example], Any]) -> list[Any]:
    """Give those whose example is such, and all that have none, so that it is missed."""
    names = [name for name in plugins.names("sources") if name not in EXAMPLES or which(EXAMPLES[name])]
    return [pytest.param(name, marks=SEEN.get(name, [])) for name in names]
