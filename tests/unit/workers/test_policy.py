from __future__ import annotations

import pytest

from agent.config.tables import Deadlines
from agent.fsm import Machine
from agent.types import Phase
from agent.workers.policy import TABLE, Happening, RestartDelay, State, limit_s

ALIVE = [State.STARTING, State.RUNNING, State.RENEWING, State.STOPPING, State.KILLING, State.STUCK]
"""In these states there is a process."""
GONE = [state for state in State if state not in ALIVE]


@pytest.mark.parametrize("state", ALIVE)
@pytest.mark.parametrize("ending", [Happening.DIED, Happening.FINISHED, Happening.REFUSED])
def test_a_process_may_end_in_any_way_at_any_time(state: State, ending: Happening) -> None:
    after = Machine(TABLE, state).fire(ending)
    assert after not in ALIVE


@pytest.mark.parametrize("state", GONE)
@pytest.mark.parametrize("ending", [Happening.DIED, Happening.FINISHED, Happening.REFUSED])
def test_what_is_not_there_does_not_end(state: State, ending: Happening) -> None:
    assert not Machine(TABLE, state).accepts(ending)


@pytest.mark.parametrize("state", [s for s in State if s.name not in {"STOPPED", "STOPPING", "STUCK"}])
def test_a_stop_leads_to_the_end_from_everywhere(state: State) -> None:
    after = Machine(TABLE, state).fire(Happening.STOP)
    assert after is (State.STOPPING if state in ALIVE else State.STOPPED)


@pytest.mark.parametrize("state", [s for s in State if s.name not in {"STOPPED", "BACKOFF", "FATAL"}])
def test_a_worker_is_started_only_where_there_is_none_and_one_is_wanted(state: State) -> None:
    assert not Machine(TABLE, state).accepts(Happening.START)


def test_a_stuck_process_is_never_given_a_twin() -> None:
    ways = {target for (state, happening), target in TABLE.items() if state is State.STUCK}
    assert ways == {State.BACKOFF, State.ENDED, State.FATAL}  # all of them after its death


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.RENEWING])
def test_an_overrun_leads_to_the_kill_and_then_to_stuck(state: State) -> None:
    machine = Machine(TABLE, state)
    assert machine.fire(Happening.OVERRUN) is State.KILLING
    assert machine.fire(Happening.UNREAPED) is State.STUCK


def test_every_state_can_be_reached_and_left() -> None:
    reached = {State.STOPPED}
    while more := {target for (state, _), target in TABLE.items() if state in reached} - reached:
        reached |= more
    assert reached == set(State)
    assert {state for state, _ in TABLE} == set(State)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_deadline_or_none(phase: Phase) -> None:
    deadlines = Deadlines(start_s=1, load_s=2, open_s=3, capture_s=4, invoke_s=5)
    assert (
        limit_s(phase, deadlines)
        == {
            Phase.NONE: None,
            Phase.START: 1,
            Phase.LOAD: 2,
            Phase.OPEN: 3,
            Phase.CAPTURE: 4,
            Phase.PREPROCESS: 5,
            Phase.WAIT: None,
            Phase.INVOKE: 5,
            Phase.DECODE: 5,
            Phase.SEND: None,
        }[phase]
    )


def test_restarts_wait_twice_as_long_each_time_up_to_a_bound() -> None:
    delay = RestartDelay()
    waits = [delay.after(1.0) for _ in range(12)]
    assert waits[:9] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6])
    assert waits[9:] == [30.0, 30.0, 30.0]


def test_a_good_run_makes_the_next_wait_short_again() -> None:
    delay = RestartDelay()
    for _ in range(8):
        delay.after(1.0)
    assert delay.after(59.9) > 1
    assert delay.after(60.0) == pytest.approx(0.1)
    assert delay.after(1.0) == pytest.approx(0.2)
