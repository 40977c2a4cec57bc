"""When a worker is started, judged and started again: a table and a back-off, both pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from agent.types import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.tables import Deadlines


class State(Enum):
    """Where a lane stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    RENEWING = "renewing"
    STOPPING = "stopping"
    KILLING = "killing"
    BACKOFF = "backoff"
    ENDED = "ended"
    FATAL = "fatal"
    STUCK = "stuck"


class Happening(Enum):
    """What moves a lane."""

    START = "start"
    READY = "ready"
    RENEW = "renew"
    STOP = "stop"
    OVERRUN = "overrun"
    DIED = "died"
    FINISHED = "finished"
    REFUSED = "refused"
    UNREAPED = "unreaped"


_S, _H = State, Happening

TABLE: Mapping[tuple[State, Happening], State] = {
    (_S.STOPPED, _H.START): _S.STARTING,
    (_S.BACKOFF, _H.START): _S.STARTING,
    (_S.FATAL, _H.START): _S.STARTING,
    (_S.STARTING, _H.RENEW): _S.RENEWING,
    (_S.RUNNING, _H.RENEW): _S.RENEWING,
    (_S.RENEWING, _H.STOP): _S.STOPPING,
    (_S.RENEWING, _H.OVERRUN): _S.KILLING,
    (_S.RENEWING, _H.DIED): _S.BACKOFF,
    (_S.RENEWING, _H.REFUSED): _S.BACKOFF,
    (_S.RENEWING, _H.FINISHED): _S.BACKOFF,
    (_S.STARTING, _H.READY): _S.RUNNING,
    (_S.STARTING, _H.STOP): _S.STOPPING,
    (_S.STARTING, _H.OVERRUN): _S.KILLING,
    (_S.STARTING, _H.DIED): _S.BACKOFF,
    (_S.STARTING, _H.REFUSED): _S.FATAL,
    (_S.STARTING, _H.FINISHED): _S.ENDED,
    (_S.RUNNING, _H.STOP): _S.STOPPING,
    (_S.RUNNING, _H.OVERRUN): _S.KILLING,
    (_S.RUNNING, _H.DIED): _S.BACKOFF,
    (_S.RUNNING, _H.REFUSED): _S.FATAL,
    (_S.RUNNING, _H.FINISHED): _S.ENDED,
    (_S.KILLING, _H.DIED): _S.BACKOFF,
    (_S.KILLING, _H.REFUSED): _S.FATAL,
    (_S.KILLING, _H.FINISHED): _S.ENDED,
    (_S.KILLING, _H.STOP): _S.STOPPING,
    (_S.KILLING, _H.UNREAPED): _S.STUCK,
    (_S.STOPPING, _H.DIED): _S.STOPPED,
    (_S.STOPPING, _H.REFUSED): _S.STOPPED,
    (_S.STOPPING, _H.FINISHED): _S.STOPPED,
    (_S.STOPPING, _H.UNREAPED): _S.STUCK,
    (_S.STUCK, _H.DIED): _S.BACKOFF,
    (_S.STUCK, _H.REFUSED): _S.FATAL,
    (_S.STUCK, _H.FINISHED): _S.ENDED,
    (_S.BACKOFF, _H.STOP): _S.STOPPED,
    (_S.ENDED, _H.STOP): _S.STOPPED,
    (_S.FATAL, _H.STOP): _S.STOPPED,
}
"""A start from FATAL is one with another model: what refused is not what is to run now. RENEWING may end as
it likes: a new worker is started at once. KILLING waits for SIGTERM and SIGKILL to do their work, and the
worker may yet end by itself; STUCK is a process that SIGKILL did not end (its driver sits in the kernel): it
is never started again while it lives."""


def limit_s(phase: Phase, deadlines: Deadlines) -> float | None:
    """The longest that a thread may stay in ``phase``; None when it may for ever.

    Waiting for a frame and waiting for the supervisor to read are no hangs.
    """
    limits: dict[Phase, float | None] = {
        Phase.NONE: None,
        Phase.START: deadlines.start_s,
        Phase.LOAD: deadlines.load_s,
        Phase.OPEN: deadlines.open_s,
        Phase.CAPTURE: deadlines.capture_s,
        Phase.PREPROCESS: deadlines.invoke_s,
        Phase.WAIT: None,
        Phase.INVOKE: deadlines.invoke_s,
        Phase.DECODE: deadlines.invoke_s,
        Phase.SEND: None,
    }
    return limits[phase]


class RestartDelay:
    """How long to wait before the next start: short at first, doubling, short again after a good run."""

    FIRST_S = 0.1
    LONGEST_S = 30.0
    GOOD_RUN_S = 60.0

    def __init__(self) -> None:
        self._next_s = self.FIRST_S

    def after(self, ran_s: float) -> float:
        """Give the seconds to wait after a run of ``ran_s`` seconds that ended badly."""
        if ran_s >= self.GOOD_RUN_S:
            self._next_s = self.FIRST_S
        delay = self._next_s
        self._next_s = min(self._next_s * 2, self.LONGEST_S)
        return delay
