from __future__ import annotations

from enum import Enum, auto

import pytest

from agent.fsm import IllegalTransition, Machine


class Lamp(Enum):
    OFF = auto()
    ON = auto()
    BROKEN = auto()


class Act(Enum):
    PRESS = auto()
    DROP = auto()


TABLE = {
    (Lamp.OFF, Act.PRESS): Lamp.ON,
    (Lamp.ON, Act.PRESS): Lamp.OFF,
    (Lamp.ON, Act.DROP): Lamp.BROKEN,
}


def test_fire_moves_along_the_table_and_returns_the_new_state() -> None:
    machine = Machine(TABLE, Lamp.OFF)
    assert machine.fire(Act.PRESS) is Lamp.ON
    assert machine.state is Lamp.ON
    assert machine.fire(Act.DROP) is Lamp.BROKEN


def test_a_pair_outside_the_table_is_refused_and_changes_nothing() -> None:
    machine = Machine(TABLE, Lamp.BROKEN)
    with pytest.raises(IllegalTransition, match="PRESS in state BROKEN"):
        machine.fire(Act.PRESS)
    assert machine.state is Lamp.BROKEN


@pytest.mark.parametrize("state", list(Lamp))
@pytest.mark.parametrize("act", list(Act))
def test_accepts_tells_what_fire_would_do(state: Lamp, act: Act) -> None:
    machine = Machine(TABLE, state)
    if machine.accepts(act):
        assert machine.fire(act) is TABLE[state, act]
    else:
        with pytest.raises(IllegalTransition):
            machine.fire(act)


def test_an_illegal_transition_is_a_bug_and_no_error_of_ours() -> None:
    assert issubclass(IllegalTransition, RuntimeError)
