"""How the CPU time of an accelerator's process is shared among pipelines; its usage is made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recovery.sharing import Sharing
from tests.simulators.made_usage import Process

if TYPE_CHECKING:
    from agent.recovery.life import Life
    from tests.simulators.puppet_accelerator import Bench


@dataclass
class Made:
    """A life of the process, which has used so much."""

    number: int = 1
    process: Process = field(default_factory=Process)

    def uses(self, seconds: float | None) -> Life:
        self.process.usage.seconds = seconds
        return cast("Life", self)


def test_time_goes_to_those_that_were_answered_by_their_answers() -> None:
    sharing, life = Sharing(), Made()
    sharing.answered("door", 3)
    sharing.answered("yard", 1)
    sharing.look(life.uses(8.0))
    assert (sharing.of("door"), sharing.of("yard"), sharing.of("gate")) == (6.0, 2.0, 0.0)
    sharing.answered("yard", 5)
    sharing.look(life.uses(9.0))
    assert (sharing.of("door"), sharing.of("yard")) == (6.0, 3.0)


def test_time_for_which_nobody_had_an_answer_goes_to_the_next() -> None:
    sharing, life = Sharing(), Made()
    sharing.look(life.uses(2.0))
    assert sharing.of("door") == 0.0
    sharing.answered("door", 1)
    sharing.look(life.uses(3.0))
    assert sharing.of("door") == 3.0


def test_a_new_process_begins_at_nothing_and_an_ended_one_keeps_what_was_seen() -> None:
    sharing = Sharing()
    sharing.answered("door", 1)
    sharing.look(Made(1).uses(5.0))
    sharing.answered("door", 1)
    sharing.look(None)
    sharing.look(Made(2).uses(None))
    sharing.answered("door", 1)
    sharing.look(Made(2).uses(1.5))
    assert sharing.of("door") == 6.5


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 100)), max_size=20))
def test_no_time_is_lost_or_made(turns: list[tuple[int, int, int]]) -> None:
    sharing, life, used = Sharing(), Made(), 0.0
    for door, yard, seconds in turns:
        sharing.answered("door", door)
        sharing.answered("yard", yard)
        used += seconds
        sharing.look(life.uses(used))
    sharing.answered("door", 1)
    sharing.look(life.uses(used))
    assert sharing.of("door") + sharing.of("yard") == pytest.approx(used)


def test_what_a_pipeline_had_of_all_accelerators_is_told(bench: Bench) -> None:
    bench.serve()
    assert bench.all.cpu_seconds("door") == 0.0
    answered: Any = [Record("classification"), Record("failed")]
    bench.all.saw("door", answered)
    assert bench.all.cpu_seconds("door") > 0.0  # the puppet's usage is this test's own


@dataclass
class Record:
    kind: str
