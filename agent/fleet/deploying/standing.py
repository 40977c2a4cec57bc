"""How far a device is with what the operator wants, told by what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.documents.desired import Desired
    from agent.documents.reported import Reported, SettingsStanding, Standing

_PATIENCE_S = 10.0
"""So long a bad word must stand that might be about something earlier."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a pipeline stands.

    Attributes:
        state: the device's word; "waiting" while it has not taken the desired state.
        reason: why, in the device's words.
        done: whether it is over; None when it is over only if it stays so for a while.
        good: whether the wanted model serves.
        have: bytes that are there, and bytes in all, while it downloads.
    """

    state: str
    reason: str = ""
    done: bool | None = False
    good: bool = False
    have: tuple[int, int] | None = None


def progress(reported: Reported | None, wish: Desired, pipeline: str) -> Progress:
    """Say how far a device is with one pipeline of its desired state; with its settings where that is ""."""
    if reported is None:
        return Progress("waiting", "nothing is heard of the device")
    if reported.generation < wish.generation:
        return Progress("waiting", reported.problem, done=None if reported.problem else False)
    if reported.generation > wish.generation:
        problem = f"generation {reported.generation} has taken the place of {wish.generation}"
        return Progress("superseded", problem, done=True)
    if not pipeline:
        return _of_settings(reported.settings, wish, reported.problem)
    standing = reported.pipelines.get(pipeline)
    if standing is None:
        known = ", ".join(sorted(reported.pipelines)) or "none"
        return Progress("waiting", f"the device has no pipeline {pipeline}, but: {known}", done=None)
    return _of(standing, wish, pipeline, reported.problem)


def _of(standing: Standing, wish: Desired, pipeline: str, problem: str) -> Progress:
    wanted = wish.models[pipeline]
    if standing.wanted != wanted:
        return Progress("waiting", standing.reason or problem)
    serving = standing.serving
    serves = serving is not None and (serving.name, serving.version) == (wanted.name, wanted.version)
    if standing.state == "active" and serves:
        return Progress("active", standing.reason, done=True, good=True)
    if standing.state in {"rejected", "rolled_back"}:
        sure = standing.generation >= wish.generation
        return Progress(standing.state, standing.reason, done=True if sure else None)
    if standing.overdue:
        late = f"the deadline has passed, and it goes on trying: {standing.reason or standing.state}"
        return Progress(standing.state, late, done=True, have=standing.progress)
    return Progress(standing.state, standing.reason or problem, have=standing.progress)


def _of_settings(standing: SettingsStanding, wish: Desired, problem: str) -> Progress:
    sure = standing.generation >= wish.generation
    if standing.state in {"idle", "active"} and (sure or not wish.overrides):
        return Progress("active", standing.reason, done=True, good=True)
    if standing.state in {"rejected", "rolled_back"}:
        return Progress(standing.state, standing.reason, done=True if sure else None)
    if standing.overdue:
        late = f"the deadline has passed, and it goes on trying: {standing.reason or standing.state}"
        return Progress(standing.state, late, done=True)
    state = standing.state if sure else "waiting"
    return Progress(state, standing.reason or problem)


class Watch:
    """Tells when it is over: at once, or when what may be an old word has stood for a while."""

    def __init__(self) -> None:
        self._since: tuple[Progress, float] | None = None

    def over(self, found: Progress, now: float) -> bool:
        """Whether to stop waiting, at a monotonic time."""
        if found.done is not None:
            self._since = None
            return found.done
        if self._since is None or self._since[0] != found:
            self._since = found, now
        return now - self._since[1] >= _PATIENCE_S
