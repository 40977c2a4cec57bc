"""Where a pipeline stands, in the words of the reported state."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agent.activation.holdings import REASON, serving
from agent.documents.reported import ModelState, Serving, Standing

if TYPE_CHECKING:
    from agent.activation.course import Course
    from agent.activation.seams import Lane


def standing(course: Course, now_serving: Serving | None) -> Standing:
    """Say where a pipeline stands.

    Args:
        course: the pipeline's.
        now_serving: what its lane runs, as the lane says; None when it runs nothing.
    """
    goal, held = course.goal, course.held
    state, reason, strikes = _said(course)
    return Standing(
        state=state,
        serving=now_serving,
        wanted=goal.wanted if goal else None,
        previous=serving(held.previous) if held.previous else None,
        generation=goal.generation if goal else 0,
        reason=reason[:REASON],
        strikes=strikes,
        progress=course.progress if course.asks else None,
        overdue=course.overdue,
    )


def serving_now(lane: Lane) -> Serving | None:
    """Say what a lane runs, in its own words; None while it runs nothing, or has not loaded it yet."""
    ready = lane.run.ready if lane.run else None
    if ready is None:
        return None
    name, _, version = ready.model.partition("@")
    return Serving(name=name, version=version, bundle=ready.bundle)


def _said(course: Course) -> tuple[ModelState, str, int]:
    goal, row = course.goal, course.held.candidate
    if row is not None and course.held.state is not None:
        return cast("ModelState", course.held.state.value), course.problem or row.reason, row.strikes
    if goal is None:
        return "idle", "", 0
    if goal.met_by(course.held.active):
        return "active", "", 0
    if verdict := course.held.verdict(goal):
        return cast("ModelState", verdict.state), verdict.reason, 0
    return "idle", "", 0
