"""What commands on the configuration wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.commands.seams import Answer
from agent.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.configuring.course import Course
    from agent.processes.watch import Watched

_HINT = "Mend it, and ask again with a new command"


class Reloading:
    """A reload: the life of the agent that begins with the file says how it went.

    Args:
        done: whether this is that life, and all is as it was before.
        refused: why it was given up, or "".
    """

    def __init__(self, done: Callable[[], bool], refused: Callable[[], str]) -> None:
        self._done, self._refused = done, refused

    def tick(self, now: float) -> Answer | None:
        """Give the answer, in the life after.

        Raises:
            Rejected: the agent could not begin with the file.
        """
        del now
        if problem := self._refused():
            raise Rejected("reload", "configuration", problem, _HINT)
        return Answer({"reloaded": True}) if self._done() else None

    def watched(self) -> Iterable[Watched]:
        """It has no processes."""
        return ()

    def stop(self) -> None:
        """There is nothing to leave."""


class Settling:
    """Settings of a command, until they are in force or given up.

    Args:
        course: theirs.
        order: the command's id.
    """

    def __init__(self, course: Course, order: str) -> None:
        self._course, self._order = course, order

    def tick(self, now: float) -> Answer | None:
        """Give the answer once they are in force.

        Raises:
            Rejected: they were not taken, or others came.
        """
        del now
        course = self._course
        if course.last_failed == self._order:
            raise Rejected("override", "settings", course.last_problem, _HINT)
        if course.wanted.order != self._order:
            raise Rejected("override", "settings", "others came, or their time is over", _HINT)
        if course.held.candidate is not None or course.running.values != course.held.active.values:
            return None
        return Answer({"settings": sorted(course.running.values)})

    def watched(self) -> Iterable[Watched]:
        """It has no processes."""
        return ()

    def stop(self) -> None:
        """They go on without the command."""
