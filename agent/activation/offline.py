"""The models of an agent that does not run: read from its folder, and rolled back there."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.activation.answers import slots
from agent.activation.course import Course
from agent.activation.desk import Desk
from agent.activation.goal import Setting, goals
from agent.activation.standing import standing
from agent.clock import SystemClock
from agent.errors import Rejected
from agent.store.folder import DataFolder
from agent.store.kept import read_kept
from agent.store.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.plan import Plan
    from agent.slots import Change, Kept


def models(plan: Plan) -> dict[str, Any]:
    """Say what the folder holds, in the form in which a running agent says it.

    Raises:
        StoreBusy: it cannot be read for now.
        FolderUnusable: it is of a newer release.
    """
    kept = read_kept(plan.data)
    desk = _desk(plan, kept)
    courses = _courses(plan, kept, lambda _: 0)
    return {
        "generation": desk.generation,
        "problem": desk.problem,
        "metadata": {"root": 0, "timestamp": 0, "expires": 0, "problem": "the agent does not run"},
        "audit": {"seq": kept.audit[0], "head": kept.audit[1]},
        "pipelines": {
            name: standing(course, None).model_dump() | slots(course) for name, course in courses.items()
        },
    }


def rollback(plan: Plan, pipeline: str) -> None:
    """Go back by hand; the agent must not run.

    Raises:
        Rejected: there is no such pipeline, or no model to go back to.
        FolderHeld: an agent runs.
        StoreBusy: the disk refuses.
    """
    clock = SystemClock()
    changes: list[Change] = []

    def keep(change: Change) -> int:
        changes.append(change)
        return len(changes)

    with DataFolder(plan.data, plan.device):
        courses = _courses(plan, read_kept(plan.data), keep)
        if pipeline not in courses:
            hint = f"Name one of: {', '.join(courses)}"
            raise Rejected("roll back", pipeline, "there is no such pipeline", hint)
        courses[pipeline].rollback(clock.monotonic())
        with closing(Outbox(plan.data, clock=clock)) as outbox:
            for change in changes:
                outbox.change(change, clock.wall_ns(), synced=clock.synced())


def _desk(plan: Plan, kept: Kept) -> Desk:
    return Desk(plan.mqtt.fleet if plan.mqtt else "default", plan.device, kept)


def _courses(plan: Plan, kept: Kept, keep: Callable[[Change], int]) -> dict[str, Course]:
    """Bring up the courses as a start would, and tell them what is wanted."""
    clock = SystemClock()
    desk = _desk(plan, kept)
    wanted = goals(desk.desired) if desk.desired else {}
    found = {}
    for spec in plan.lanes:
        setting = Setting(bool(spec.model), clock.boot)
        course = Course(spec.pipeline, kept, keep, setting, clock.monotonic())
        course.want(wanted.get(spec.pipeline), clock.monotonic())
        found[spec.pipeline] = course
    return found
