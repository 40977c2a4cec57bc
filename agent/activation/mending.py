"""Falls back from bundles whose files are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.activation.files import missing

if TYPE_CHECKING:
    from pathlib import Path

    from agent.activation.course import Course


def mend(course: Course, bundles: Path, now: float) -> None:
    """Have a course look for others where the files of its own are gone, before anything is started."""
    while (active := course.held.active) and (problem := missing(bundles, active.bundle)):
        course.lost(problem, now)
    candidate = course.held.candidate
    if candidate and candidate.bundle and missing(bundles, candidate.bundle):
        course.missed()
