"""Proves one bundle at a time, for whichever pipeline asks first, in a worker process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.activation.trial import promised_ms
from agent.bundles.load import read_manifest
from agent.errors import AgentError, ManifestInvalid
from agent.workers.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from socket import socket

    from agent.activation.course import Course
    from agent.boards.accelerators import Lend
    from agent.config.tables import Deadlines
    from agent.workers.messages import Proved
    from agent.workers.spec import LaneSpec

Lending = Callable[[str], "tuple[Lend, socket] | None"]
"""Gives a proof of a pipeline's model a connection to the accelerator that serves there, if one does."""
_MOST_MISSES = 3
"""How often files that were whole when they were fetched may turn out damaged, until that is the verdict."""


class Proving:
    """Runs proofs.

    Args:
        specs: each pipeline as its worker is told of it.
        task: gives the task of the model that serves in a pipeline now; "" for none.
        bundles: the folder of bundles.
        deadlines: of the worker's phases.
        proof: makes a proof.

    Attributes:
        proof: the one that runs; None when none does.
        lend: gives a proof a connection to the accelerator that serves its pipeline.
    """

    def __init__(
        self,
        specs: Sequence[LaneSpec],
        task: Callable[[str], str],
        bundles: Path,
        deadlines: Deadlines,
        proof: Callable[[LaneSpec, Deadlines], Proof] = Proof,
    ) -> None:
        self._specs = {spec.pipeline: spec for spec in specs}
        self._task = task
        self._bundles = bundles
        self._deadlines = deadlines
        self._make = proof
        self._for: tuple[Course, str] | None = None
        self._misses: dict[str, int] = {}
        self._ending = False
        self.proof: Proof | None = None
        self.lend: Lending = lambda _pipeline: None

    def tick(self, courses: Iterable[Course], now: float) -> None:
        """End what nobody asks for any more, pass on what is settled, and begin what is asked for."""
        if self.proof is not None:
            self.proof.tick(now)
            self._look_after(self.proof, now)
        if self.proof is None and not self._ending:
            course = next((one for one in courses if one.proves), None)
            if course is not None:
                self._begin(course, now)

    def _begin(self, course: Course, now: float) -> None:
        bundle = course.proves
        changes = {
            "model": str(self._bundles / bundle),
            "digest": bundle,
            "serving_task": self._task(course.pipeline),
            "prove": True,
        }
        self._for = course, bundle
        self.proof = self._make(self._specs[course.pipeline].model_copy(update=changes), self._deadlines)
        if (lent := self.lend(course.pipeline)) is None:
            self.proof.start(now)
            return
        loan, end = lent
        with end:
            self.proof.start(now, loan, end)

    def _look_after(self, proof: Proof, now: float) -> None:
        if self._for is not None:
            course, bundle = self._for
            if course.proves != bundle:
                self._for = None
                proof.stop()
            elif proof.outcome is not None:
                self._for = None
                self._settle(course, bundle, proof.outcome, now)
        if proof.process is None and proof.outcome is not None:
            self.proof = None

    def _settle(self, course: Course, bundle: str, outcome: Proved | AgentError, now: float) -> None:
        try:
            if isinstance(outcome, AgentError):
                raise outcome
            budget = read_manifest(self._bundles / bundle, bundle).budget
        except ManifestInvalid as error:
            self._misses[bundle] = self._misses.get(bundle, 0) + 1
            if self._misses[bundle] >= _MOST_MISSES:
                course.unproved(bundle, error, now)
            else:
                course.missed()
        except AgentError as error:
            course.unproved(bundle, error, now)
        else:
            course.proved(bundle, promised_ms(budget.p95_ms, outcome.p95_ms))

    def next_tick(self, now: float) -> float | None:
        """Seconds until ``tick`` wants to be called; None when nothing runs."""
        return self.proof.next_tick(now) if self.proof else None

    def receive(self) -> None:
        """Take in what the process has said."""
        if self.proof:
            self.proof.receive()

    def reap(self, now: float) -> None:
        """The process has ended."""
        if self.proof:
            self.proof.reap(now)

    def stop(self) -> None:
        """Begin no other proof, and end this one."""
        self._ending, self._for = True, None
        if self.proof:
            self.proof.stop()

    def abandon(self) -> None:
        """The agent ends now: leave no process."""
        self.stop()
        if self.proof and self.proof.process:
            self.proof.process.close()
            self.proof = None
