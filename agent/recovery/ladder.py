"""What is done about an accelerator that fails: a table, the rungs of the ladder, and a back-off. All pure.

The first incident reopens it at once, in a new process. The next one, before it was cured of the first,
resets the device where something can, and reopens it. After that it rests, longer each time, and is tried
again.
"""

from __future__ import annotations

import random
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from agent.fsm import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REST_S, LONGEST_REST_S = 30.0, 3600.0
"""The first rest, and the longest; each is twice the one before."""
LONGEST_ABSENCE_S = 300.0
"""The longest rest of an accelerator that is not there: somebody may plug it in."""
_JITTER = 0.2
CURED_FRAMES, CURED_S = 300, 60.0
"""An accelerator is cured after so many results of it, and so many seconds, without an incident."""
MOST_STARTS, _HOUR_S = 20, 3600.0
"""However it fails, it is opened at most so often in an hour."""


class State(Enum):
    """Where an accelerator stands."""

    OFF = "off"
    OPENING = "opening"
    SERVING = "serving"
    CLOSING = "closing"
    REOPENING = "reopening"
    RESETTING = "resetting"
    PROBATION = "probation"
    RESTING = "resting"
    STUCK = "stuck"


class Happening(Enum):
    """What moves an accelerator."""

    OPEN = "open"
    OPENED = "opened"
    FAILED = "failed"
    RESET = "reset"
    REST = "rest"
    CURED = "cured"
    UNREAPED = "unreaped"
    LEAVE = "leave"
    LEFT = "left"


_S, _H = State, Happening

TABLE: Mapping[tuple[State, Happening], State] = {
    (_S.OFF, _H.OPEN): _S.OPENING,
    (_S.OPENING, _H.OPENED): _S.SERVING,
    (_S.OPENING, _H.FAILED): _S.CLOSING,
    (_S.OPENING, _H.LEAVE): _S.CLOSING,
    (_S.SERVING, _H.FAILED): _S.CLOSING,
    (_S.SERVING, _H.LEAVE): _S.CLOSING,
    (_S.REOPENING, _H.OPENED): _S.PROBATION,
    (_S.REOPENING, _H.FAILED): _S.CLOSING,
    (_S.REOPENING, _H.LEAVE): _S.CLOSING,
    (_S.PROBATION, _H.CURED): _S.SERVING,
    (_S.PROBATION, _H.FAILED): _S.CLOSING,
    (_S.PROBATION, _H.LEAVE): _S.CLOSING,
    (_S.CLOSING, _H.OPEN): _S.REOPENING,
    (_S.CLOSING, _H.RESET): _S.RESETTING,
    (_S.CLOSING, _H.REST): _S.RESTING,
    (_S.CLOSING, _H.LEFT): _S.OFF,
    (_S.CLOSING, _H.UNREAPED): _S.STUCK,
    (_S.RESETTING, _H.OPEN): _S.REOPENING,
    (_S.RESETTING, _H.LEFT): _S.OFF,
    (_S.RESETTING, _H.UNREAPED): _S.STUCK,
    (_S.RESTING, _H.OPEN): _S.REOPENING,
    (_S.RESTING, _H.LEFT): _S.OFF,
    (_S.STUCK, _H.REST): _S.RESTING,
    (_S.STUCK, _H.LEFT): _S.OFF,
}
"""CLOSING waits until its process is gone: only then it is known that the device is free. STUCK is a process
that SIGKILL did not end, its own or that which resets it (a driver sits in the kernel): nothing is opened
while it lives."""

OPEN = frozenset({State.SERVING, State.PROBATION})
"""Where pipelines may use it."""
OUT = frozenset({State.RESTING, State.STUCK})
"""Where it is not to be waited for: the next one of the list serves."""


class Ladder:
    """How far one accelerator has climbed, and what is next. It is told the time.

    Args:
        resets: whether there is a way to reset its device.
        jitter: gives a number from 0 to 1, which spreads the ends of rests.

    Attributes:
        climbed: incidents since it was last cured.
        due: when its rest is over, seconds of the monotonic clock.
        since: when it came to its state.
    """

    def __init__(self, *, resets: bool, jitter: Callable[[], float] = random.random) -> None:
        self._machine = Machine(TABLE, State.OFF)
        self._resets = resets
        self._jitter = jitter
        self._starts: deque[float] = deque(maxlen=MOST_STARTS)
        self._rests = 0
        self._frames = 0
        self._next = Happening.LEFT
        self._longest_s = LONGEST_REST_S
        self.climbed = 0
        self.due = 0.0
        self.since = 0.0

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._machine.state

    @property
    def next(self) -> str:
        """What the last incident led to: "open", "reset" or "rest"; "left" where there was none."""
        return self._next.value

    def _fire(self, happening: Happening, now: float) -> None:
        self._machine.fire(happening)
        self.since = now

    def start(self, now: float) -> None:
        """Its process starts now; from OFF, after a reset, or after a rest."""
        self._fire(Happening.OPEN, now)
        self._starts.append(now)

    def opened(self, now: float) -> None:
        """Its process says that the device is open."""
        self._fire(Happening.OPENED, now)
        self._frames = 0

    def saw(self, frames: int) -> None:
        """So many results are its work."""
        self._frames += frames

    def failed(self, now: float, *, absent: bool = False, hopeless: bool = False) -> None:
        """An incident: its process is to go. What is next stands in ``next``.

        Args:
            now: seconds of the monotonic clock.
            absent: its library or device is not there.
            hopeless: it said that it cannot work as it is configured.
        """
        self._fire(Happening.FAILED, now)
        self.climbed += 1
        self._longest_s = LONGEST_ABSENCE_S if absent else LONGEST_REST_S
        if hopeless:
            self._rests = 16
        if absent or hopeless or self._worn(now) or self.climbed > 2:
            self._next = Happening.REST
        elif self.climbed == 1:
            self._next = Happening.OPEN
        else:
            self._next = Happening.RESET if self._resets else Happening.REST

    def _worn(self, now: float) -> bool:
        return len(self._starts) == MOST_STARTS and now - self._starts[0] < _HOUR_S

    def startable(self, now: float) -> bool:
        """Whether it may be opened now, if somebody wants it."""
        if self.state is State.RESTING:
            return now >= self.due
        return self.state is State.OFF and not self._worn(now)

    def leave(self, now: float) -> None:
        """Nobody wants it any more: its process is to go, and none follows."""
        self._next = Happening.LEFT
        if self._machine.accepts(Happening.LEAVE):
            self._fire(Happening.LEAVE, now)
        elif self.state is State.RESTING:
            self._left(now)

    def gone(self, now: float) -> Happening:
        """Its process, or that which resets it, is gone; give what is next.

        OPEN and RESET are up to the caller: the first is a ``start``, the second has begun.
        """
        happening = self._next
        if self.state is State.RESETTING and happening is Happening.RESET:
            return Happening.OPEN
        if self.state is State.STUCK and happening is not Happening.LEFT:
            happening = Happening.REST
        if happening is Happening.REST:
            self._rest(now)
        elif happening is Happening.LEFT:
            self._left(now)
        elif happening is Happening.RESET:
            self._fire(happening, now)
        return happening

    def _left(self, now: float) -> None:
        self._fire(Happening.LEFT, now)
        self.climbed = self._rests = 0

    def _rest(self, now: float) -> None:
        self._fire(Happening.REST, now)
        rest_s = min(REST_S * 2.0**self._rests, self._longest_s)
        self._rests = min(self._rests + 1, 16)
        self.due = now + rest_s * (1 + _JITTER * (2 * self._jitter() - 1))
        if self._worn(now):
            self.due = max(self.due, self._starts[0] + _HOUR_S)

    def unreaped(self, now: float) -> None:
        """SIGKILL did not end its process."""
        self._fire(Happening.UNREAPED, now)

    def tick(self, now: float) -> bool:
        """Take note of a cure; give whether it was cured just now."""
        if self.state is not State.PROBATION or self._frames < CURED_FRAMES or now - self.since < CURED_S:
            return False
        self._fire(Happening.CURED, now)
        self.climbed = self._rests = 0
        return True
