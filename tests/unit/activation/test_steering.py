"""A lane is held to what its course says, by swaps and by restarts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.activation.standing import serving_now, standing
from agent.documents.reported import Serving
from agent.workers.policy import State
from tests.simulators.helm import Helm
from tests.simulators.kept_world import DIGESTS, goal, records

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE, TWO, _ = DIGESTS.values()


@contextmanager
def helm(**how: Any) -> Iterator[Helm]:
    made = Helm(**how)
    try:
        yield made
    finally:
        made.spawner.bury()


def said(one: Helm) -> str:
    return standing(one.world.course, None).state


def test_a_worker_starts_with_the_active_model() -> None:
    with helm() as one:
        assert (one.serves, one.worker.spec.digest) == (ONE, ONE)
    with helm(active="") as one:
        assert (one.serves, one.worker.spec.digest) == ("glyphs", "")


def test_a_proved_model_is_swapped_in_and_the_one_before_is_let_go_when_it_has_passed() -> None:
    with helm() as one:
        one.ready()
        one.to_proved()
        asked = one.asked()
        assert (asked["model"], asked["digest"]) == (f"/bundles/{TWO}", TWO)
        one.swapped(asked)
        assert (one.steering.running, said(one)) == (TWO, "probation")
        assert one.worker.heard() == []
        one.world.course.saw(records(20))
        one.turn(6)
        assert said(one) == "active"
        assert one.worker.heard() == [{"type": "settle"}]
        one.died()
        one.turn(1)
        assert one.serves == TWO


def test_a_model_that_fails_its_probation_is_swapped_back() -> None:
    with helm() as one:
        one.ready()
        one.to_proved()
        one.swapped(one.asked())
        one.world.course.saw(records(0, failed=20))
        one.turn()
        back = one.asked()
        assert back["digest"] == ONE
        one.swapped(back)
        assert (one.steering.running, said(one)) == (ONE, "rolled_back")
        assert len(one.spawner.born) == 1


def test_a_swap_that_is_refused_leaves_the_old_model_and_is_not_asked_for_again() -> None:
    with helm() as one:
        one.ready()
        one.to_proved()
        one.unswapped(one.asked())
        one.turn(1)
        assert (one.steering.running, said(one), one.asked()) == (ONE, "rolled_back", {})


def test_a_death_on_trial_starts_the_old_model() -> None:
    with helm() as one:
        one.ready()
        one.to_proved()
        one.swapped(one.asked())
        assert serving_now(one.lane) == Serving(name="glyphs", version="1", bundle=TWO)
        one.died()
        one.turn(1)
        assert one.serves == ONE
        assert serving_now(one.lane) is None  # the new worker has not loaded it yet
        one.ready()
        assert serving_now(one.lane) is not None
        found = standing(one.world.course, None)
        assert (found.strikes, found.reason) == (1, "the worker died: run gate: ended by SIGKILL")


def test_a_worker_that_never_answers_a_swap_is_replaced_by_one_with_the_old_model() -> None:
    with helm() as one:
        one.ready()
        one.to_proved()
        one.turn(121)
        assert standing(one.world.course, None).strikes == 1
        assert one.steering.running != TWO
        assert one.world.course.target == ONE


def test_a_restart_serves_the_new_model_once_and_later_starts_the_old_one() -> None:
    with helm(resident=False) as one:
        one.ready()
        one.to_proved()
        assert one.asked() == {}
        one.died(0)
        one.turn()
        assert one.serves == TWO
        one.ready()
        assert said(one) == "probation"
        one.died()
        one.turn(1)
        assert one.serves == ONE


def test_a_restart_that_the_new_model_does_not_survive_comes_back_with_the_old_one() -> None:
    with helm(resident=False) as one:
        one.ready()
        one.to_proved()
        one.died(0)
        one.turn()
        one.died()
        one.turn(1)
        assert (one.serves, standing(one.world.course, None).strikes) == (ONE, 1)


def test_a_new_model_that_the_worker_refuses_at_its_start_is_taken_back_at_once() -> None:
    with helm(resident=False) as one:
        one.ready()
        one.to_proved()
        one.died(0)
        one.turn()
        one.worker.fault("it does not fit")
        one.died(78)
        one.turn()
        assert (one.serves, said(one)) == (ONE, "rolled_back")
        assert one.lane.state is State.STARTING


def test_a_first_model_starts_the_lane_and_its_death_stops_it() -> None:
    with helm(configured=False, active="") as one:
        one.turn()
        assert (one.lane.state, one.spawner.born) == (State.STOPPED, [])
        one.to_proved("one")
        assert one.serves == ONE
        one.ready()
        assert said(one) == "probation"
        one.died()
        one.turn(60)
        assert (one.lane.state, len(one.spawner.born)) == (State.STOPPED, 1)


def test_an_active_model_that_does_not_load_any_more_makes_room_for_the_configured_one() -> None:
    with helm() as one:
        one.worker.fault("another hash", error="ManifestInvalid")
        one.died(78)
        one.turn()
        assert one.serves == "glyphs"
        assert one.world.course.held.active is None


def test_a_superseded_model_on_trial_makes_room_at_once() -> None:
    with helm() as one:
        one.ready()
        one.to_proved()
        one.swapped(one.asked())
        one.world.course.want(goal("one", 3), one.world.now)
        one.turn()
        assert one.asked()["digest"] == ONE


def test_a_recording_that_is_over_is_left_alone() -> None:
    with helm() as one:
        one.ready()
        one.worker.ended(one.lane.ledger)
        one.died(0)
        one.to_proved()
        one.turn(10)
        assert (one.lane.state, len(one.spawner.born)) == (State.ENDED, 1)
