"""How far a device is with what the operator wants: what ends the wait, and how."""

from __future__ import annotations

from typing import Any

import pytest

from agent.documents.desired import Desired, Wanted
from agent.documents.reported import Reported, Serving, Standing
from agent.fleet.deploying.standing import Progress, Watch, progress

WANTED = Wanted(name="m", version="2")
WISH = Desired(fleet="f", device="d", generation=5, models={"door": WANTED})
NEW, OLD = Serving(name="m", version="2"), Serving(name="m", version="1")


def reported(generation: int = 5, problem: str = "", **standing: Any) -> Reported:
    door = Standing(**{"state": "idle", "wanted": WANTED, "generation": 5, **standing})
    return Reported(
        fleet="f", device="d", generation=generation, at=0, pipelines={"door": door}, problem=problem
    )


@pytest.mark.parametrize(
    ("found", "state", "done", "good"),
    [
        (None, "waiting", False, False),
        (reported(4), "waiting", False, False),
        (reported(4, "it is not signed"), "waiting", None, False),
        (reported(6, state="active", serving=NEW), "superseded", True, False),
        (
            reported(wanted=Wanted(name="m", version="1"), state="active", serving=OLD),
            "waiting",
            False,
            False,
        ),
        (reported(state="downloading", progress=(1, 2)), "downloading", False, False),
        (reported(state="probation", serving=NEW), "probation", False, False),
        (reported(state="active", serving=OLD), "active", False, False),
        (reported(state="active", serving=NEW), "active", True, True),
        (reported(state="active", serving=NEW, overdue=True), "active", True, True),
        (reported(state="rejected", reason="no"), "rejected", True, False),
        (reported(state="rolled_back", reason="no"), "rolled_back", True, False),
    ],
)
def test_a_report_says_where_the_pipeline_stands_and_whether_that_is_the_last_word(
    found: Reported | None, state: str, done: object, good: object
) -> None:
    said = progress(found, WISH, "door")
    assert (said.state, said.done, said.good) == (state, done, good)


def test_what_was_rejected_for_an_earlier_generation_may_still_be_tried() -> None:
    body = reported(state="rejected").pipelines["door"].model_copy(update={"generation": 4})
    found = reported().model_copy(update={"pipelines": {"door": body}})
    assert progress(found, WISH, "door").done is None


def test_a_pipeline_that_is_not_there_is_named() -> None:
    wish = WISH.model_copy(update={"models": {"yard": WANTED}})
    assert progress(reported(), wish, "yard").reason == "the device has no pipeline yard, but: door"


def test_a_deadline_that_has_passed_ends_the_wait_with_what_keeps_it() -> None:
    said = progress(reported(state="downloading", overdue=True, reason="no link"), WISH, "door")
    assert (said.done, said.good) == (True, False)
    assert said.reason == "the deadline has passed, and it goes on trying: no link"


def test_what_may_be_an_old_word_counts_once_it_has_stood_for_ten_seconds() -> None:
    watch = Watch()
    doubtful, other = Progress("waiting", "a", done=None), Progress("waiting", "b", done=None)
    assert not watch.over(doubtful, 100)
    assert not watch.over(doubtful, 109.9)
    assert not watch.over(other, 110)
    assert not watch.over(other, 119.9)
    assert watch.over(other, 120)
    assert not watch.over(Progress("proving"), 121)
    assert not watch.over(other, 130)
    assert watch.over(Progress("active", done=True), 131)
