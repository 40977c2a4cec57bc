"""A simulated proof: it takes a while and has a verdict, and no process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import BundleRefused, ManifestInvalid
from agent.workers.messages import Proved
from agent.workers.proof import Proof

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection
    from random import Random

    from agent.boards.accelerators import Lend
    from agent.config.tables import Deadlines
    from agent.fleet.simulating.faults import Traits
    from agent.fleet.simulating.lane import Models
    from agent.workers.spec import LaneSpec

_P95_MS = 20.0


class SimulatedProof(Proof):
    """Proves a model in no time worth speaking of, and as its device's traits have it.

    Args:
        spec: of the pipeline, with the model to prove.
        deadlines: of a worker's phases; nothing here takes so long.
        traits: what is wrong with the device.
        models: what bundles say of themselves.
        rng: how long it takes.
        bad: models, each ``name@version``, that fail everywhere.
    """

    def __init__(
        self,
        spec: LaneSpec,
        deadlines: Deadlines,
        *,
        traits: Traits,
        models: Models,
        rng: Random,
        bad: Collection[str],
    ) -> None:
        super().__init__(spec, deadlines)
        self._traits, self._models, self._rng, self._bad = traits, models, rng, bad
        self._ready_at = 0.0

    def start(self, now: float, loan: Lend | None = None, end: socket.socket | None = None) -> None:
        """Begin; there is no accelerator to be lent."""
        del loan, end
        self._ready_at = now + self._rng.uniform(0.5, 3)

    def tick(self, now: float) -> None:
        """Have a verdict when it is time."""
        if self.outcome is None and now >= self._ready_at:
            self.outcome = self._verdict()

    def next_tick(self, now: float) -> float | None:
        """Seconds until there is a verdict."""
        return max(0.0, self._ready_at - now) if self.outcome is None else None

    def _verdict(self) -> Proved | BundleRefused | ManifestInvalid:
        digest = self._spec.digest
        try:
            ready = self._models.ready(str(Path(self._spec.model)), digest)
        except ManifestInvalid as error:
            return error
        if self._traits.refuses or ready.model in self._bad:
            problem = "golden answer 1: it differs by more than the tolerance (simulated)"
            return BundleRefused("prove", ready.model, problem, rule="golden")
        facts = ready.model_dump(exclude={"type", "confined", "stages"})
        return Proved(**facts, goldens=1, runs=20, p50_ms=_P95_MS, p95_ms=_P95_MS * 1.2, rss_mb=40.0)
