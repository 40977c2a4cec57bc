"""What a maintenance window holds back of a model's way, and what it does not."""

from __future__ import annotations

from tests.simulators.kept_world import DIGESTS, KeptWorld, said

ONE, TWO, THREE = DIGESTS.values()
CLOSED = "it waits for the maintenance window"


def test_a_fetched_model_waits_for_the_window_and_says_so_also_after_a_reboot() -> None:
    world = KeptWorld(active="one")
    world.waits = CLOSED
    world.to_proof()
    assert (world.course.proves, said(world.course)) == ("", ("verified", CLOSED))
    world.restart(reboot=True)
    world.wait(100)
    assert said(world.course) == ("verified", CLOSED)
    world.waits = ""
    world.wait(1)
    world.write_all()
    assert world.course.proves == TWO


def test_a_pipeline_without_any_model_waits_for_no_window() -> None:
    world = KeptWorld(configured=False)
    world.waits = CLOSED
    world.to_proof()
    assert world.course.proves == TWO


def test_a_window_that_closes_stops_neither_a_trial_nor_a_way_back() -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.waits = CLOSED
    world.wait(1)
    assert world.course.target == TWO
    world.course.rollback(world.now)
    world.write_all()
    assert (world.course.target, said(world.course)[0]) == (ONE, "rolled_back")
