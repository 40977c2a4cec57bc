"""A crash, an exception, a hang and a reboot in each state of a model's life: the old or the new serves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.simulators.mishap_stories import tellings

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from tests.simulators.mishap_stories import Tell

pytestmark = pytest.mark.mosquitto

GAP_S = 30.0
"""Around a restart of the agent, too, on a machine that does much else; tests/results has the figures."""


ALL = os.environ.get("EDGE_AGENT_TESTS_MISHAPS") == "all"
USUAL = ("proving", "probation")
"""Each state takes some 20 s; `python -m tests.faults` and EDGE_AGENT_TESTS_MISHAPS=all see to the others."""
TOLD = tuple(one for one in tellings() if ALL or (one[0] in USUAL and one[1] == "resident"))


@pytest.mark.parametrize(("state", "how", "tell"), TOLD)
def test_whatever_goes_wrong_the_old_or_the_new_model_serves_and_the_device_says_which_and_why(
    tmp_path: Path, broker: Broker, state: str, how: str, tell: Tell
) -> None:
    found = tell(tmp_path, broker.port)
    assert [mishap.fault for mishap, _ in found] == ["crash", "exception", "hang", "reboot"], (state, how)
    for mishap, gap_s in found:
        assert gap_s < GAP_S, mishap
