"""Swaps a running worker's model: loads the new one beside the one that serves, then gives frames to it.

A thread of its own loads, one request after the other. The model that served stays resident until it is let
go, or until the next one is loaded, so a swap back to it takes no time.
"""

from __future__ import annotations

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent.errors import AgentError
from agent.message import flattened
from agent.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from agent.pipeline.engine import Engine
    from agent.pipeline.slot import Slot

_LULL_S = 0.2
_CALM_S = 1.0
"""What has piled up meanwhile is worked off in this time, with whichever model serves."""
_SWITCH_S = 0.0005
"""How long a thread that computes in Python keeps the others waiting while a model is loaded; else 5 ms."""


class Make(Protocol):
    """Makes engines."""

    def __call__(self, model: str, digest: str, pause: Callable[[], object]) -> Engine:
        """Make that of a model by path and digest; call ``pause`` before all threads may be kept waiting."""


class Outlet(Protocol):
    """Whom the outcome is told."""

    def say(self, message: Mapping[str, object]) -> None:
        """Send one message."""


class Follower(Protocol):
    """Who goes along with a swap."""

    def turning(self, new: Resident) -> None:
        """Frames are about to go to ``new``."""

    def turned(self, old: Resident, new: Resident) -> None:
        """Frames go to ``new``, and none goes to ``old`` any more."""


@dataclass(frozen=True, slots=True)
class Resident:
    """An engine, and which model it was asked for as, by path and digest."""

    model: str
    digest: str
    engine: Engine


class Swapper:
    """Serves the supervisor's requests to swap.

    Args:
        outlet: where ``swapped`` and ``unswapped`` go.
        beat: notes the phase of the thread that loads.
    """

    def __init__(self, outlet: Outlet, beat: Callable[[Phase], None]) -> None:
        self._outlet = outlet
        self._beat = beat
        self._executor = ThreadPoolExecutor(1, "model")
        self._ready = threading.Event()
        self._turned = threading.Event()
        self._token = 0
        self._follower: Follower | None = None
        self._other: Resident | None = None

    def begin(self, slot: Slot, make: Make, key: tuple[str, str], follower: Follower | None = None) -> None:
        """Begin to serve requests; those that came before have waited.

        Args:
            slot: where frames get their engine.
            make: makes engines.
            key: path and digest of the model that serves.
            follower: is told of each swap, in the thread that loads.
        """
        self._slot = slot
        self._make = make
        self._serving = Resident(key[0], key[1], slot.engine)
        self._follower = follower
        self._ready.set()

    def ask(self, model: str, digest: str, token: int) -> None:
        """Swap to a model; what comes of it is told as an answer to ``token``."""
        future = self._executor.submit(self._swap, model, digest, token)
        future.add_done_callback(partial(self._answer, token))

    def settle(self) -> None:
        """Let go of the model that is resident and does not serve."""
        self._executor.submit(self._let_go).add_done_callback(_complain)

    def turned(self, engine: Engine) -> None:
        """The infer thread's word: what it sends from now on is that engine's work."""
        self._outlet.say({"type": "swapped", "token": self._token, **engine.facts})
        self._turned.set()

    def _swap(self, model: str, digest: str, token: int) -> None:
        self._ready.wait()
        if (model, digest) == (self._serving.model, self._serving.digest):
            self._outlet.say({"type": "swapped", "token": token, **self._serving.engine.facts})
            return
        self._slot.be_patient(math.inf)
        try:
            new = self._resident(model, digest)
            self._token = token
            self._turned.clear()
            self._other, self._serving = self._serving, new
            if self._follower is not None:
                self._follower.turning(new)
            self._slot.swap(new.engine)
            self._turned.wait()
            if self._follower is not None:
                self._follower.turned(self._other, new)
        finally:
            self._slot.be_patient(_CALM_S)

    def _resident(self, model: str, digest: str) -> Resident:
        if self._other and (model, digest) == (self._other.model, self._other.digest):
            return self._other
        self._let_go()  # never three at a time
        self._beat(Phase.LOAD)
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            return Resident(model, digest, self._make(model, digest, partial(self._slot.lull, _LULL_S)))
        finally:
            sys.setswitchinterval(usual_s)
            self._beat(Phase.NONE)

    def _let_go(self) -> None:
        self._ready.wait()
        if self._other is not None:
            self._other.engine.backend.close()
            self._other = None

    def _answer(self, token: int, future: Future[None]) -> None:
        """Tell why there was no swap, if there was none. A thread that only loads need not end the worker."""
        error = future.exception()
        if error is None:
            return
        if not isinstance(error, AgentError):
            _complain(future)
            said = f"{type(error).__name__}: {error}"
            error = AgentError("load model", "", said, "This is a bug: report it")
        self._outlet.say({"type": "unswapped", "token": token, **flattened(error)})


def _complain(future: Future[None]) -> None:
    if error := future.exception():
        sys.excepthook(type(error), error, error.__traceback__)
