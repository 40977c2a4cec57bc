"""A model that runs on an accelerator while that works, and at any moment on the CPU, where its twin is warm.

Whatever the accelerator does, the frame that it fails is answered by the twin at once. What changed is told
as news, in the order of the results: what follows ``accelerated`` is the accelerator's work, what follows
``incident`` or ``relieved`` the twin's.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from agent.accelerator.faults import AcceleratorFault, Occupied, Refused
from agent.accelerator.no_twin import NoTwin
from agent.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.accelerator.use import News, Use
    from agent.types import Array, Backend, TensorSpec

_LATE = 10
"""A check that has been due for this part of its period does not wait for a pause any longer."""
_MOST_PROBLEM = 1000


class AcceleratedBackend:
    """A backend with two homes.

    The infer thread alone calls ``infer``, ``tend`` and ``news``; the others are safe from any thread.

    Args:
        twin: the model on the CPU, or ``NoTwin`` of one that runs on the accelerator only.
        beat: notes the phase that begins. Waiting for the accelerator has deadlines, and is no hang.
        use: the model on an accelerator, where it is loaded already.
    """

    def __init__(
        self, twin: Backend, beat: Callable[[Phase], None] = lambda _: None, use: Use | None = None
    ) -> None:
        self._twin = twin
        self._beat = beat
        self.inputs: tuple[TensorSpec, ...] = twin.inputs
        self.outputs: tuple[TensorSpec, ...] = twin.outputs
        self._use: Use | None = None
        self._occupied = False
        self._news: list[News] = []
        self._blind: tuple[News, int] | None = None
        self._settled_ns = time.monotonic_ns()  # no frame of this model was captured before
        self._guard = threading.Lock()
        self._offer: Use | None = use
        self._recalled = -1
        self._engaged = True
        self._closed = False

    @property
    def has_twin(self) -> bool:
        """Whether the CPU stands in for an accelerator."""
        return not isinstance(self._twin, NoTwin)

    @property
    def runtime(self) -> str:
        """Name and version of the runtime that serves now."""
        return self._home.runtime

    @property
    def delegate(self) -> str:
        """What serves now: the accelerator's name, or the twin's delegate."""
        return self._home.delegate

    @property
    def delegated(self) -> tuple[int, int]:
        """How many operators what serves now has taken, and how many there are."""
        return self._home.delegated

    @property
    def _home(self) -> Backend:
        return self._use.remote if self._use is not None and not self._occupied else self._twin

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        """Run the model once, on the accelerator if that works, else on the twin.

        Raises:
            InputRejected: the tensors do not fit.
            BackendFault: the twin's runtime failed.
            DelegateLost: the accelerator gives no answer, and there is no twin: this frame has none.
        """
        if self._closed:
            raise RuntimeError("the backend is closed")
        began_ns = time.monotonic_ns()
        self._turn()
        if self._use is not None and not self._is_occupied(self._use):
            try:
                return self._right(self._asked(self._use, tensors))
            except Occupied:
                self._stand_in(self._use)
            except AcceleratorFault as fault:
                self._fail(self._use, fault, began_ns, waited=True)
        self._beat(Phase.INVOKE)
        return self._right(self._twin.infer(tensors))

    def _asked(self, use: Use, tensors: Sequence[Array]) -> Sequence[Array]:
        self._beat(Phase.WAIT)
        try:
            return use.remote.infer(tensors)
        except Refused as refusal:
            outputs = use.remote.infer(tensors)  # once: what comes and goes is no incident
            self._news.append(use.news("retried", problem=str(refusal)[:_MOST_PROBLEM]))
            return outputs

    def _right(self, outputs: Sequence[Array]) -> Sequence[Array]:
        if self._blind is not None:
            incident, began_ns = self._blind
            blind_us = (time.monotonic_ns() - began_ns) // 1000
            kept = {key: incident[key] for key in ("accelerator", "generation", "kind")}
            self._news.append({"type": "regained", **kept, "blind_us": blind_us})
            self._blind = None
        return outputs

    def tend(self, *, idle: bool, settled_ns: int) -> Sequence[News]:
        """Between two frames: take over what was offered, check a golden answer when it is due; give news.

        Args:
            idle: whether no frame waits.
            settled_ns: when the last frame that was inferred was captured, CLOCK_MONOTONIC; 0 for none yet.
        """
        self._settled_ns = settled_ns or self._settled_ns
        self._turn()
        use = self._use
        if use is None or self._is_occupied(use) or not (use.cases and use.recheck_s):
            return self.news()
        due_ns = use.checked_ns + int(use.recheck_s * 1e9 * (1 if idle else 1 + 1 / _LATE))
        began_ns = time.monotonic_ns()
        if began_ns >= due_ns:
            self._beat(Phase.WAIT)
            try:
                use.check()
            except Occupied:
                self._stand_in(use)
            except AcceleratorFault as fault:
                self._fail(use, fault, began_ns)
            else:
                use.good_ns = self._settled_ns
        return self.news()

    def news(self) -> Sequence[News]:
        """Give what has changed since the last call; it goes before the result of the last ``infer``."""
        if not self._news:
            return ()
        taken, self._news = self._news, []
        return taken

    def offer(self, use: Use) -> bool:
        """Give it a home on an accelerator, which it takes before its next frame.

        Returns:
            Whether it wants one; else the caller keeps it.
        """
        with self._guard:
            if not self._engaged or use.generation <= self._recalled:
                return False
            self._offer = use
            return True

    def recall(self, generation: int) -> None:
        """Have it let go of what came on the connection of this generation, or an older one."""
        with self._guard:
            self._recalled = max(self._recalled, generation)

    def engage(self) -> None:
        """Begin to take offers again, after ``release``."""
        with self._guard:
            self._engaged = True

    def release(self) -> Use | None:
        """Give back the accelerator, its connection still open; no frame may go to this model now."""
        with self._guard:
            self._engaged = False
            use, self._use, self._offer = self._offer or self._use, None, None
            self._occupied = False
            return use

    def close(self) -> None:
        """Free the twin. Idempotent; the connection is its owner's to close."""
        self.release()
        self._closed = True
        self._twin.close()

    def _turn(self) -> None:
        """Take over what was offered, and let go of what was recalled."""
        if self._offer is None and (self._use is None or self._use.generation > self._recalled):
            return
        with self._guard:
            offer, self._offer = self._offer, None
            recalled = self._recalled
        if (use := self._use) is not None and (offer is not None or use.generation <= recalled):
            self._use, self._occupied = None, False
            use.remote.connection.close()
            if offer is None or offer.generation <= recalled:
                self._news.append(use.news("relieved", reason="asked"))
        if offer is not None and offer.generation > recalled:
            self._adopt(offer)

    def _adopt(self, use: Use) -> None:
        self._use, self._occupied = use, False
        use.good_ns = self._settled_ns
        for handle in use.leave:
            use.remote.connection.drop(handle)
        self._tell_of(use)

    def _tell_of(self, use: Use) -> None:
        facts = {"delegate": use.remote.delegate, "delegated": use.remote.delegated}
        self._news.append(use.news("accelerated", **facts, goldens=use.goldens))

    def _is_occupied(self, use: Use) -> bool:
        """Whether the twin stands in while the accelerator loads another worker's model."""
        if not self._occupied:
            return False
        try:
            self._occupied = not use.remote.connection.free()
        except AcceleratorFault as fault:
            self._fail(use, fault, time.monotonic_ns())
            return True
        if not self._occupied:
            self._tell_of(use)
        return self._occupied

    def _stand_in(self, use: Use) -> None:
        self._occupied = True
        self._news.append(use.news("relieved", reason="busy"))

    def _fail(self, use: Use, fault: AcceleratorFault, began_ns: int, *, waited: bool = False) -> None:
        """Give it up: an incident, unless it was recalled and has hung up for that.

        Its process may have died under a frame, and the supervisor was the first to know: it is recalled
        then, and the frame has ``waited`` all the same.
        """
        self._use, self._occupied = None, False
        use.remote.connection.close()
        if use.generation <= self._recalled:
            self._news.append(use.news("relieved", reason="asked"))
            if waited and self._blind is None:
                self._blind = (use.news("incident", kind=fault.kind), began_ns)
            return
        incident = use.news(
            "incident",
            kind=fault.kind,
            problem=str(fault)[:_MOST_PROBLEM],
            twin=self.has_twin,
            good_ns=use.good_ns,
        )
        self._news.append(incident)
        if self._blind is None:
            self._blind = (incident, began_ns)
