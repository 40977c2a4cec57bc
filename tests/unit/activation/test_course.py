"""One pipeline's way to the wanted model, step by step."""

from __future__ import annotations

import pytest

from agent.activation.standing import standing
from agent.errors import (
    FetchFailed,
    ModelInvalid,
    SourceLost,
)
from agent.store.reports import NOBODY
from tests.simulators.kept_world import DIGESTS, KeptWorld, goal, records, refused, said

ONE, TWO, THREE = DIGESTS.values()


def test_a_wanted_model_is_fetched_proved_tried_and_becomes_the_active_one() -> None:
    world = KeptWorld(active="one")
    course = world.course
    course.want(goal("two", 2), world.now)
    assert course.asks == goal("two", 2)
    assert said(course)[0] == "downloading"
    course.fetched("two", "1", TWO, world.now)
    world.write_all()
    assert course.asks is None
    assert (course.proves, course.target) == (TWO, ONE)
    course.proved(TWO, 2.0)
    world.write_all()
    assert (course.proves, course.target, course.boots) == ("", TWO, ONE)
    course.running(TWO, world.now)
    course.saw(records(20))
    world.wait(6)
    assert (course.boots, said(course)[0]) == (ONE, "probation")
    world.write_all()
    assert (course.target, course.boots, said(course)[0]) == (TWO, TWO, "active")
    active, previous = world.slot("active"), world.slot("previous")
    assert active
    assert previous
    assert (active.bundle, previous.bundle, world.slot("candidate")) == (TWO, ONE, None)
    assert world.notes == ["model.wanted", "model.proved", "model.activated"]


def test_what_is_wanted_and_active_already_is_active_at_once() -> None:
    world = KeptWorld(active="one")
    world.course.want(goal("one", 5), world.now)
    world.write_all()
    assert (said(world.course), world.course.asks) == (("active", ""), None)
    assert world.slot("active").generation == 5  # type: ignore[union-attr]


@pytest.mark.parametrize("active", ["one", ""])
def test_a_change_that_the_store_makes_by_itself_as_a_purge_is_nobodys_step(active: str) -> None:
    world = KeptWorld(active=active)
    before = said(world.course), world.course.target
    world.course.changed(NOBODY, world.now)
    assert (said(world.course), world.course.target) == before
    world.to_proof("two")
    world.course.proved(TWO, 2.0)
    world.course.changed(NOBODY, world.now)
    assert not world.course.on_trial
    world.write_all()
    assert world.course.on_trial


def test_the_newest_generation_supersedes_what_is_on_its_way() -> None:
    world = KeptWorld(active="one")
    world.to_trial("two")
    world.course.want(goal("three", 3), world.now)
    world.write_all()
    assert (world.course.target, world.course.asks) == (ONE, goal("three", 3))
    assert world.slot("candidate").name == "three"  # type: ignore[union-attr]


def test_a_pipeline_that_a_newer_generation_does_not_name_keeps_what_it_has() -> None:
    world = KeptWorld(active="one")
    world.to_trial("two")
    world.course.want(None, world.now)
    world.write_all()
    assert (world.course.target, world.slot("candidate"), said(world.course)[0]) == (ONE, None, "idle")


def test_a_bundle_that_the_updater_refuses_is_rejected_before_its_digest_is_known() -> None:
    world = KeptWorld()
    world.course.want(goal("two", 2), world.now)
    world.course.unfetched("two", "1", refused("policy.names"))
    world.write_all()
    assert said(world.course)[0] == "rejected"
    assert world.course.asks is None


def test_a_download_that_fails_is_asked_for_again_and_its_reason_told() -> None:
    world = KeptWorld()
    world.course.want(goal("two", 2), world.now)
    error = FetchFailed("fetch", "two@1", "3 chunks do not come")
    world.course.unfetched("two", "1", error)
    assert said(world.course) == ("downloading", str(error))
    world.course.came("two", "1", 5, 10)
    told = standing(world.course, None)
    assert (told.progress, told.reason) == ((5, 10), "")


def test_a_model_that_the_lane_cannot_take_is_rolled_back() -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    world.course.proved(TWO, None)
    world.write_all()
    world.course.begun(world.now)
    world.course.unswapped(ModelInvalid("load", "two", "no room"), world.now)
    assert (world.course.target, said(world.course)[0]) == (ONE, "rolled_back")


def test_a_model_that_fails_its_frames_is_rolled_back_before_the_probation_is_over() -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.course.saw(records(2, failed=3))
    world.wait(0.1)
    world.write_all()
    assert (world.course.target, said(world.course)[0]) == (ONE, "rolled_back")
    assert "3 of 5 frames failed" in said(world.course)[1]
    assert world.verdict("two")


def test_a_model_that_is_slower_than_it_promised_is_rolled_back() -> None:
    world = KeptWorld(active="one")
    world.to_trial(limit_ms=2.0)
    world.course.saw(records(20, infer_us=7000))
    world.wait(0.1)
    assert said(world.course)[0] == "rolled_back"
    assert "7.0 ms" in said(world.course)[1]


@pytest.mark.parametrize(("frames", "seconds"), [(9, 100), (20, 4)])
def test_a_probation_needs_frames_and_time(frames: int, seconds: float) -> None:
    world = KeptWorld(active="one")
    world.to_trial()
    world.course.saw(records(frames))
    world.wait(seconds)
    world.write_all()
    assert (world.course.target, world.course.boots, said(world.course)[0]) == (TWO, ONE, "probation")


def test_the_previous_model_is_tried_again_without_a_download() -> None:
    world = KeptWorld(active="one")
    world.to_active("two")
    world.course.want(goal("one", 3), world.now)
    world.wait(0)
    world.write_all()
    assert (world.course.asks, world.course.proves) == (None, ONE)


def test_after_a_loss_of_the_state_the_configured_model_serves() -> None:
    assert KeptWorld(configured=True).course.boots == ""


def test_what_takes_too_long_is_told_as_overdue_and_tried_on() -> None:
    world = KeptWorld(active="one")
    world.course.want(goal("two", 2, deadline_s=50), world.now)
    world.wait(49)
    assert not standing(world.course, None).overdue
    world.wait(2)
    assert standing(world.course, None).overdue
    assert world.course.asks == goal("two", 2, deadline_s=50)


def test_a_policy_that_came_meanwhile_refuses_before_the_proof() -> None:
    world = KeptWorld(active="one")
    world.course._setting = type(world.course._setting)(True, "boot-1", lambda _: refused("policy.names"))
    world.to_proof()
    assert said(world.course)[0] == "rejected"
    assert world.course.proves == ""


def test_the_proof_of_another_bundle_is_not_taken_for_this_ones() -> None:
    world = KeptWorld(active="one")
    world.to_proof()
    world.course.unproved(THREE, SourceLost("x", "y", "z"), world.now)
    world.course.proved(THREE, None)
    assert world.course.proves == TWO
