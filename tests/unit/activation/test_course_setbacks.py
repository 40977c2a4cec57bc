"""What a course does when something dies, is lost, or is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.activation.standing import standing
from agent.documents.desired import Probation
from agent.errors import (
    BackendFault,
    LaneCrashed,
    ModelInvalid,
    Rejected,
    StoreBusy,
)
from tests.simulators.kept_world import DIGESTS, KeptWorld, goal, records, refused, said

ONE, TWO, THREE = DIGESTS.values()


def test_a_risky_step_waits_until_it_is_written_that_it_is_on() -> None:
    world = KeptWorld(active="one")
    world.course.want(goal("two", 2), world.now)
    world.course.fetched("two", "1", TWO, world.now)
    assert world.course.proves == ""
    world.write_all()
    assert world.slot("candidate").risky == "boot-1"  # type: ignore[union-attr]
    assert world.course.proves == TWO
    world.course.proved(TWO, None)
    assert world.course.target == ONE
    world.write_all()
    assert world.course.target == TWO


@pytest.mark.parametrize("error", [refused("golden"), ModelInvalid("load", "two", "no model")])
def test_a_model_that_its_proof_refuses_is_rejected_and_not_tried_again(error: Rejected) -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    world.course.unproved(TWO, error, world.now)
    world.write_all()
    assert said(world.course) == ("rejected", str(error))
    world.course.want(goal("two", 2), world.now)
    world.restart(reboot=True)
    world.course.want(goal("two", 2), world.now)
    assert world.course.asks is None
    assert said(world.course) == ("rejected", str(error))
    world.course.want(goal("two", 3), world.now)
    assert world.course.asks == goal("two", 3)


def test_a_proof_that_could_not_be_made_is_no_strike_and_is_made_later() -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    world.course.unproved(TWO, StoreBusy("read", "two", "the disk is busy"), world.now)
    world.write_all()
    assert (standing(world.course, None).strikes, world.course.proves) == (0, "")
    world.wait(21)
    world.write_all()
    assert world.course.proves == TWO


@pytest.mark.parametrize(
    "error", [LaneCrashed("prove", "two", "SIGSEGV"), BackendFault("prove", "two", "no")]
)
def test_the_third_proof_that_dies_rejects(error: LaneCrashed) -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    for strike, pause in ((1, 21), (2, 41)):
        world.course.unproved(TWO, error, world.now)
        world.write_all()
        assert (standing(world.course, None).strikes, world.course.proves) == (strike, "")
        world.wait(pause)
        world.write_all()
        assert world.course.proves == TWO
    world.course.unproved(TWO, error, world.now)
    world.write_all()
    assert said(world.course)[0] == "rejected"
    assert "strikes: 3" in said(world.course)[1]


def test_a_death_on_trial_serves_the_old_model_at_once_and_is_a_strike() -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.course.died("ended by SIGSEGV", world.now)
    assert (world.course.target, world.course.boots) == (ONE, ONE)
    world.write_all()
    candidate = world.slot("candidate")
    assert candidate
    assert (candidate.strikes, candidate.risky, candidate.state) == (1, "", "verified")
    assert candidate.reason == "the worker died: ended by SIGSEGV"


def test_a_death_before_the_lane_was_told_of_the_new_model_is_none_of_its_own() -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    world.course.proved(TWO, None)
    world.write_all()
    world.course.died("ended by SIGSEGV", world.now)
    assert (world.course.target, standing(world.course, None).strikes) == (TWO, 0)


@pytest.mark.parametrize("reboot", [False, True])
def test_a_start_in_a_risky_step_serves_the_old_model_and_is_a_strike(*, reboot: bool) -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.restart(reboot=reboot)
    assert (world.course.target, world.course.boots) == (ONE, ONE)
    told = standing(world.course, None)
    assert (told.strikes, told.state) == (1, "verified")
    assert told.reason.startswith("the device rebooted" if reboot else "the agent died")
    world.course.want(goal("two", 2), world.now)
    world.wait(21)
    world.write_all()
    assert world.course.proves == TWO


def test_a_reboot_after_the_risk_has_passed_is_no_strike() -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.wait(61)
    world.write_all()
    world.restart(reboot=True)
    assert (standing(world.course, None).strikes, world.course.target) == (0, ONE)


def test_an_agent_that_stops_in_good_order_leaves_no_risk_behind() -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.course.leave()
    world.write_all()
    world.restart(reboot=False)
    assert standing(world.course, None).strikes == 0


def test_a_third_strike_is_final_across_reboots() -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    for _ in range(3):
        world.restart(reboot=True)
        world.course.want(goal("two", 2), world.now)
        world.write_all()
        world.wait(200)
        world.write_all()
    assert said(world.course)[0] == "rejected"
    assert (world.course.target, world.slot("candidate")) == (ONE, None)


def test_a_rollback_by_hand_goes_to_the_previous_model_and_stays_there() -> None:
    world = KeptWorld(active="one")
    world.to_active("two")
    world.course.rollback(world.now)
    world.write_all()
    assert (world.course.target, world.course.boots) == (ONE, ONE)
    assert (said(world.course)[0], world.course.asks) == ("rolled_back", None)
    assert world.slot("previous") is None
    world.restart(reboot=True)
    world.course.want(goal("two", 2), world.now)
    assert (world.course.target, world.course.asks) == (ONE, None)


def test_a_rollback_by_hand_without_a_previous_model_goes_to_the_configured_one_or_nowhere() -> None:
    world = KeptWorld(active="one", configured=True)
    world.course.rollback(world.now)
    assert world.course.target == ""
    with pytest.raises(Rejected, match="no model to go back to"):
        world.course.rollback(world.now)
    with pytest.raises(Rejected, match="no model to go back to"):
        KeptWorld(active="one", configured=False).course.rollback(0)


def test_a_newer_desired_state_changes_the_terms_of_a_trial_that_is_on() -> None:
    world = KeptWorld(active="one")
    world.course.want(replace(goal("two", 2), probation=Probation(seconds=600)), world.now)
    world.course.fetched("two", "1", TWO, world.now)
    world.write_all()
    world.course.proved(TWO, 2.0)
    world.write_all()
    world.course.running(TWO, world.now)
    world.course.saw(records(20))
    world.wait(6)
    world.write_all()
    assert world.course.boots == ONE
    world.course.want(goal("two", 3), world.now)
    world.wait(0)
    world.write_all()
    assert world.course.boots == TWO


def test_a_rollback_by_hand_ends_a_trial() -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.course.rollback(world.now)
    assert (world.course.target, said(world.course)[0]) == (ONE, "rolled_back")


def test_an_active_model_that_is_lost_falls_back_and_is_fetched_again() -> None:
    world = KeptWorld(active="one")
    world.to_active("two")
    world.course.lost("its manifest is another one", world.now)
    world.write_all()
    assert (world.course.target, world.course.asks) == (ONE, goal("two", 2))
    world.course.lost("so is this", world.now)
    assert world.course.target == ""


def test_a_first_model_serves_or_none_does() -> None:
    world = KeptWorld(configured=False)
    assert (world.course.boots, world.course.target) == (None, None)
    world.to_trial("one")
    assert (world.course.target, world.course.boots) == (ONE, None)
    world.course.died("ended by SIGSEGV", world.now)
    assert world.course.target is None


def test_damaged_files_of_a_candidate_are_fetched_again() -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    world.course.missed()
    world.write_all()
    assert world.course.asks == goal("two", 2)
    assert world.slot("candidate").risky == ""  # type: ignore[union-attr]
