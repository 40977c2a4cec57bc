"""Has the model that serves run on an accelerator that the supervisor lends, once it was right there.

A thread of its own loads, warms up and compares; no frame waits for it. The infer thread takes the model over
between two frames. A connection is used by one of the two at a time.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.accelerator.client import Connection
from agent.accelerator.faults import AcceleratorFault, Garbage
from agent.accelerator.no_twin import NoTwin
from agent.accelerator.remote import RemoteBackend
from agent.accelerator.twin import AcceleratedBackend
from agent.accelerator.use import Use
from agent.bundles import load as bundles
from agent.errors import AgentError, ModelInvalid
from agent.workers.program import engines
from agent.workers.program.goldens import fixed_input, golden_cases, twin_case

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from agent.accelerator.protocol import Hello
    from agent.accelerator.use import Case
    from agent.boards.accelerators import Lend
    from agent.bundles.load import LoadedModel
    from agent.types import Backend, TensorSpec
    from agent.workers.program.swapping import Resident
    from agent.workers.spec import LaneSpec

_WARM, _WARM_S = 20, 3.0
"""So many inferences are made before frames go there, if they take no longer than that."""
_SAME = 1e-6
"""Scales are 32-bit floats, written by two compilers."""


class Outlet(Protocol):
    """Whom the supervisor's news go to."""

    def say(self, message: Mapping[str, object]) -> None:
        """Send one message."""


@dataclass(slots=True)
class Lent:
    """A connection, and its terms.

    Attributes:
        terms: what the supervisor says of it.
        connection: to the accelerator process.
        hello: its first word, once it came.
        handle: the model that was taken over there last; 0 for none.
        tried: for which model the accelerator was made ready last.
        adopted: whether the infer thread has the connection, and is who closes it.
    """

    terms: Lend
    connection: Connection
    hello: Hello | None = None
    handle: int = 0
    tried: Resident | None = None
    adopted: bool = False


class Accelerating:
    """Serves ``lend`` and ``relieve`` of the supervisor, and follows the swaps of the model.

    Args:
        outlet: where incidents before the first frame go.
        resident: the model that serves.
    """

    def __init__(self, outlet: Outlet, resident: Resident) -> None:
        self._outlet = outlet
        self._serving = resident
        self._lent: Lent | None = None
        self._guard = threading.Lock()
        self._executor = ThreadPoolExecutor(1, "accelerator")

    def lend(self, terms: Lend, fd: int) -> None:
        """Use this connection in place of the one before."""
        lent = Lent(terms, Connection(fd, terms.accelerator))
        with self._guard:
            older, self._lent = self._lent, lent
            self._hang_up(older)
        self._submit()

    def relieve(self, generation: int) -> None:
        """Let go of the connection of this generation, or an older one."""
        with self._guard:
            if self._lent is not None and self._lent.terms.generation <= generation:
                older, self._lent = self._lent, None
                self._hang_up(older)

    def _hang_up(self, lent: Lent | None) -> None:
        """Have whoever uses a connection find that it was taken back."""
        if lent is not None:
            if isinstance(backend := self._serving.engine.backend, AcceleratedBackend):
                backend.recall(lent.terms.generation)
            lent.connection.hang_up()
            self._executor.submit(self._retire, lent).add_done_callback(_complain)

    def _retire(self, lent: Lent) -> None:
        with self._guard:
            if not lent.adopted:
                lent.connection.close()

    def turning(self, new: Resident) -> None:
        """Frames are about to go to this model, on its twin at first."""
        if isinstance(new.engine.backend, AcceleratedBackend):
            new.engine.backend.engage()

    def turned(self, old: Resident, new: Resident) -> None:
        """Frames go to another model from now on: take the accelerator from the old one."""
        with self._guard:
            self._serving = new
            backend = old.engine.backend
            use = backend.release() if isinstance(backend, AcceleratedBackend) else None
            if use is not None and self._lent and use.remote.connection is self._lent.connection:
                self._lent.adopted = False
            elif use is not None:
                use.remote.connection.close()
        self._submit()

    def _submit(self) -> None:
        self._executor.submit(self._accelerate).add_done_callback(_complain)

    def _accelerate(self) -> None:
        with self._guard:
            lent, serving = self._lent, self._serving
        if lent is None or not isinstance(backend := serving.engine.backend, AcceleratedBackend):
            return
        if lent.tried is serving or lent.connection.over:  # its incident has been told
            return
        lent.tried = serving
        try:
            use = self._prepared(lent, serving, backend)
        except AcceleratorFault as fault:
            lent.connection.close()
            if self._gave_up(lent):
                self._tell_incident(lent, fault, twin=backend.has_twin)
        except AgentError as error:  # of this model: the accelerator is as good as before
            if self._lent is lent:
                self._say(lent, "relieved", reason="unfit", problem=str(error)[:1000])
        else:
            self._hand_over(lent, backend, use)

    def _hand_over(self, lent: Lent, backend: AcceleratedBackend, use: Use) -> None:
        with self._guard:
            lent.adopted = backend.offer(use)
            if lent.adopted:
                lent.handle = use.remote.handle
            elif self._lent is lent:  # another model serves by now, which is next
                use.remote.close()
            else:
                lent.connection.close()

    def _gave_up(self, lent: Lent) -> bool:
        """Whether the connection was wanted until now; it is not any more."""
        with self._guard:
            wanted = self._lent is lent
            if wanted:
                self._lent = None
        return wanted

    def _prepared(self, lent: Lent, serving: Resident, twin: AcceleratedBackend) -> Use:
        """Load the model that serves on the accelerator, and see that it computes the same there."""
        spec = serving.spec
        model = engines.model_of(spec)
        if model.sha256 != serving.engine.facts["sha256"]:
            raise ModelInvalid("load model", model.name, "its file has changed since", "Start the agent anew")
        remote = remote_of(lent, model)
        try:
            fits(lent, remote, twin)
            cases, goldens = cases_of(spec, model, twin)
            use = Use(
                remote,
                lent.terms.accelerator,
                lent.terms.generation,
                cases=cases,
                goldens=goldens,
                recheck_s=lent.terms.recheck_s,
                leave=[lent.handle] if lent.handle else [],
            )
            warm(use)
        except AcceleratorFault:
            raise
        except AgentError:
            remote.close()
            raise
        return use

    def _tell_incident(self, lent: Lent, fault: AcceleratorFault, *, twin: bool) -> None:
        """Say that the accelerator does not take the model. What served before serves on: nobody is blind."""
        problem = str(fault)[:1000]
        self._say(lent, "incident", kind=fault.kind, problem=problem, twin=twin, good_ns=0)
        self._say(lent, "regained", kind=fault.kind, blind_us=0)

    def _say(self, lent: Lent, type_: str, **more: object) -> None:
        terms = lent.terms
        about = {"accelerator": terms.accelerator, "generation": terms.generation}
        self._outlet.say({"type": type_, **about, **more})


def remote_of(lent: Lent, model: LoadedModel) -> RemoteBackend:
    """Load a model on an accelerator: the variant that it runs.

    Raises:
        ModelInvalid: the bundle has no such variant.
        AcceleratorFault: the accelerator cannot load it, or failed.
    """
    if lent.hello is None:
        lent.hello = lent.connection.hello(lent.terms.limits.open_s)
    data = bundles.variant(model, lent.hello.variant)
    return RemoteBackend(lent.connection, data, model.name, lent.terms.limits)


def fits(lent: Lent, remote: RemoteBackend, twin: Backend) -> None:
    """See that a model takes and gives the same on the accelerator, and that this does something for it.

    Raises:
        ModelInvalid: its tensors differ from the twin's, or no operator runs there.
    """
    hint = "Compile the variant from the very model of the bundle"
    for side, there, here in (
        ("input", remote.inputs, twin.inputs),
        ("output", remote.outputs, twin.outputs),
    ):
        if len(there) != len(here) or not all(map(_same, there, here)):
            problem = f"its {side}s on {lent.terms.accelerator} differ from those on the CPU"
            raise ModelInvalid("use model", lent.terms.accelerator, problem, hint)
    if lent.hello and lent.hello.native and not remote.delegated[0]:
        problem = f"{lent.terms.accelerator} takes none of its {remote.delegated[1]} operators"
        raise ModelInvalid("use model", lent.terms.accelerator, problem, "Compile it for the accelerator")


def cases_of(spec: LaneSpec, model: LoadedModel, twin: Backend) -> tuple[Sequence[Case], int]:
    """Give inputs whose answers are known, and how many of them are the bundle's own.

    The twin says how the tensors are called: a compiler may name them otherwise.
    """
    if cases := golden_cases(model, twin):
        return cases, len(cases)
    own = engines.backend_of(spec, model)  # the other is the infer thread's
    if isinstance(own, NoTwin):
        return [], 0
    try:
        case = twin_case(own)
    finally:
        own.close()
    return ([case] if case else []), 0


def warm(use: Use) -> None:
    """Run it until its deadline is learned or time is up, then see that all answers are right.

    Raises:
        Garbage: one is not.
        AcceleratorFault: the accelerator failed.
    """
    inputs = [case.tensors for case in use.cases] or [[fixed_input(spec) for spec in use.remote.inputs]]
    over = time.monotonic() + _WARM_S
    for number in range(_WARM):
        use.remote.infer_patiently(inputs[number % len(inputs)])
        if time.monotonic() > over:
            break
    for case in use.cases:
        if difference := case.differs(use.remote.infer_patiently(case.tensors)):
            raise Garbage("check", use.accelerator, f"a golden answer differs: {difference}")
    use.checked_ns = time.monotonic_ns()


def _same(there: TensorSpec, here: TensorSpec) -> bool:
    """Whether two tensors hold the same numbers in the same way; a compiler may name them otherwise."""
    if (there.dtype, there.shape, there.zero_point) != (here.dtype, here.shape, here.zero_point):
        return False
    if len(there.scale) != len(here.scale):
        return False
    pairs = zip(there.scale, here.scale, strict=True)
    return all(math.isclose(one, other, rel_tol=_SAME) for one, other in pairs)


def _complain(future: Future[None]) -> None:
    if error := future.exception():
        sys.excepthook(type(error), error, error.__traceback__)
