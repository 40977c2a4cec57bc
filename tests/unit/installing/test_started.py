"""Whether a service that was just started stays."""

from __future__ import annotations

import pytest

from agent.errors import AgentError
from agent.installing.started import watch

STARTING = ("active", "0 of 1 pipelines running")
RUNNING = ("active", "1 of 1 pipelines running; 3 results wait; no link")


def test_it_is_waited_for_until_a_pipeline_runs() -> None:
    told = iter([("active", ""), STARTING, RUNNING])
    assert watch(lambda: next(told)) == RUNNING[1]


@pytest.mark.parametrize("state", ["failed", "activating", "inactive"])
def test_one_that_ends_is_told(state: str) -> None:
    told = iter([STARTING, (state, "")])
    with pytest.raises(AgentError, match=f"it is {state}. See why: journalctl"):
        watch(lambda: next(told))


def test_a_slow_one_is_told_as_it_stands() -> None:
    assert watch(lambda: STARTING, 0) == STARTING[1]
