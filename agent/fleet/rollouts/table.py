"""The states of a rollout, and what moves it from one to another."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a rollout stands; docs/states.md says what each means."""

    PLANNED = "planned"
    PUBLISHING = "publishing"
    CONVERGING = "converging"
    SOAKING = "soaking"
    PAUSED = "paused"
    HALTED = "halted"
    ABORTING = "aborting"
    ABORTED = "aborted"
    COMPLETED = "completed"
    FAILED = "failed"


class Step(StrEnum):
    """What moves it."""

    START = "start"
    PUBLISHED = "published"
    CONVERGED = "converged"
    ADVANCE = "advance"
    FINISH = "finish"
    PAUSE = "pause"
    RESUME = "resume"
    HALT = "halt"
    ABORT = "abort"
    RESTORED = "restored"
    UNRESTORED = "unrestored"


MOVING = (State.PUBLISHING, State.CONVERGING, State.SOAKING)
"""A wave is under way."""
OVER = frozenset({State.ABORTED, State.COMPLETED, State.FAILED})
RESTING = frozenset({State.PAUSED, State.HALTED})
"""Nobody works on it until a person says so."""
EXITS = {
    State.COMPLETED: 0,
    State.FAILED: 1,
    State.HALTED: 3,
    State.ABORTED: 4,
    State.PAUSED: 5,
}
"""With which code edgectl ends when it has worked on a rollout, or watched it."""

TABLE: dict[tuple[State, Step], State] = {
    (State.PLANNED, Step.START): State.PUBLISHING,
    (State.PUBLISHING, Step.PUBLISHED): State.CONVERGING,
    (State.CONVERGING, Step.CONVERGED): State.SOAKING,
    (State.SOAKING, Step.ADVANCE): State.PUBLISHING,
    (State.SOAKING, Step.FINISH): State.COMPLETED,
    (State.PLANNED, Step.PAUSE): State.PAUSED,
    **{(one, Step.PAUSE): State.PAUSED for one in MOVING},
    **{(one, Step.HALT): State.HALTED for one in MOVING},
    (State.PAUSED, Step.RESUME): State.PUBLISHING,
    (State.HALTED, Step.RESUME): State.PUBLISHING,
    (State.PLANNED, Step.ABORT): State.ABORTING,
    **{(one, Step.ABORT): State.ABORTING for one in (*MOVING, State.PAUSED, State.HALTED)},
    (State.ABORTING, Step.RESTORED): State.ABORTED,
    (State.ABORTING, Step.UNRESTORED): State.FAILED,
}
