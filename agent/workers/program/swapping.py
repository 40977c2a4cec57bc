"""Swaps a running worker's model, or how it runs: loads the new beside what serves, then gives frames to it.

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
from agent.processes.message import flattened
from agent.types import Phase
from agent.workers.spec import Eased

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from agent.pipeline.engine import Engine
    from agent.pipeline.slot import Slot
    from agent.workers.spec import LaneSpec

_LULL_S = 0.2
_CALM_S = 1.0
"""What has piled up meanwhile is worked off in this time, with whichever model serves."""
_SWITCH_S = 0.0005
"""How long a thread that computes in Python keeps the others waiting while a model is loaded; else 5 ms."""


class Make(Protocol):
    """Makes engines."""

    def __call__(self, spec: LaneSpec, pause: Callable[[], object]) -> Engine:
        """Make what ``spec`` names; call ``pause`` before all threads may be kept waiting."""


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
    """An engine, and what it was made of."""

    spec: LaneSpec
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

    def begin(
        self,
        slot: Slot,
        make: Make,
        spec: LaneSpec,
        follower: Follower | None = None,
        *,
        resolved: Callable[[LaneSpec], LaneSpec] = lambda spec: spec,
    ) -> None:
        """Begin to serve requests; those that came before have waited.

        Args:
            slot: where frames get their engine.
            make: makes engines.
            spec: of the engine that serves.
            follower: is told of each swap, in the thread that loads.
            resolved: gives equal specs for what makes equal engines.
        """
        self._slot = slot
        self._make = make
        self._spec = spec
        self._resolved = resolved
        self._serving = Resident(resolved(spec), slot.engine)
        self._follower = follower
        self._ready.set()

    def ask(self, model: str, digest: str, token: int) -> None:
        """Swap to a model; what comes of it is told as an answer to ``token``."""
        self._submit(lambda: self._another(model, digest), token)

    def ease(self, eased: Eased, token: int) -> None:
        """Have the model that serves do with less, or as configured again; answered as a swap is."""
        self._submit(lambda: self._spec.model_copy(update={"eased": eased}), token)

    def _submit(self, wanted: Callable[[], LaneSpec], token: int) -> None:
        future = self._executor.submit(self._swap, wanted, token)
        future.add_done_callback(partial(self._answer, token))

    def settle(self) -> None:
        """Let go of the model that is resident and does not serve."""
        self._executor.submit(self._let_go).add_done_callback(_complain)

    def turned(self, engine: Engine) -> None:
        """The infer thread's word: what it sends from now on is that engine's work."""
        self._outlet.say({"type": "swapped", "token": self._token, **engine.facts})
        self._turned.set()

    def _another(self, model: str, digest: str) -> LaneSpec:
        """Another model begins as it was proved."""
        return self._spec.model_copy(update={"model": model, "digest": digest, "eased": Eased()})

    def _swap(self, wanted: Callable[[], LaneSpec], token: int) -> None:
        self._ready.wait()
        spec = wanted()
        resolved = self._resolved(spec)
        if resolved == self._serving.spec:
            self._spec = spec
            self._outlet.say({"type": "swapped", "token": token, **self._serving.engine.facts})
            return
        self._slot.be_patient(math.inf)
        try:
            new = self._resident(resolved)
            self._token = token
            self._turned.clear()
            self._other, self._serving, self._spec = self._serving, new, spec
            if self._follower is not None:
                self._follower.turning(new)
            self._slot.swap(new.engine)
            self._turned.wait()
            if self._follower is not None:
                self._follower.turned(self._other, new)
        finally:
            self._slot.be_patient(_CALM_S)

    def _resident(self, spec: LaneSpec) -> Resident:
        if self._other and spec == self._other.spec:
            return self._other
        self._let_go()  # never three at a time
        self._beat(Phase.LOAD)
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            return Resident(spec, self._make(spec, partial(self._slot.lull, _LULL_S)))
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
