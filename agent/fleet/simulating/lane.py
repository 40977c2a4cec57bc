"""A simulated pipeline: a lane whose worker runs nothing, and says what a worker would say. Told the time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.load import read_manifest
from agent.ledger import Ledger
from agent.workers.messages import Ready, Swapped
from agent.workers.policy import State
from agent.workers.record import Record

if TYPE_CHECKING:
    from random import Random

    from agent.fleet.simulating.faults import Traits
    from agent.workers.messages import Fault, Unswapped

CONFIGURED = "simulated"
"""What the model of the configuration is called."""
_BACK_S = 0.2
_INFER_US = 20_000
_OF_BUDGET = 0.7
"""How long an inference takes: of the p95 that the model's budget allows, where it has one."""
_LABELS = ("person", "car", "dog", "nothing")


@dataclass(slots=True)
class Life:
    """One life of the worker that is none, and the model that serves in it."""

    ready: Ready


class Models:
    """What bundles say of themselves; each is read once for all devices of a process."""

    def __init__(self) -> None:
        self._known: dict[str, Ready] = {}
        self._infer_us: dict[str, int] = {}

    def ready(self, model: str, digest: str) -> Ready:
        """Give what a worker says of the bundle at a path; "" for the configured model.

        Raises:
            ManifestInvalid: it is not there any more.
        """
        if digest not in self._known:
            title, sha256, task = f"{CONFIGURED}@0", "0" * 64, "classification"
            took = _INFER_US
            if digest:
                manifest = read_manifest(Path(model), digest)
                title, sha256, task = f"{manifest.name}@{manifest.version}", digest, manifest.task
                took = int((manifest.budget.p95_ms or 0) * _OF_BUDGET * 1000) or took
            self._infer_us[digest] = took
            self._known[digest] = Ready(
                model=title,
                sha256=sha256,
                bundle=digest,
                task=task,
                runtime="simulated 0",
                delegate="cpu",
                delegated=(0, 0),
            )
        return self._known[digest]

    def infer_us(self, digest: str) -> int:
        """Say how long an inference of a bundle takes that is ready, microseconds."""
        return self._infer_us.get(digest, _INFER_US)


class SimulatedLane:
    """What activation and the recorder see of a pipeline; it is always running, unless its model crashes.

    Args:
        name: the pipeline's.
        traits: what is wrong with the device.
        models: what bundles say of themselves.
        rng: where times and answers come from.

    Attributes:
        frames: results and failures, ever.
        failed: of these, failures.
    """

    def __init__(self, name: str, traits: Traits, models: Models, rng: Random) -> None:
        self.name = name
        self._traits, self._models, self._rng = traits, models, rng
        self._served = ("", "")
        self._replies: list[Swapped | Unswapped] = []
        self._crash_at = self._back_at = 0.0
        self._now = 0.0
        self.state = State.STOPPED
        self.run: Life | None = None
        self.restarts = 0
        self.problem = ""
        self.frames = self.failed = 0

    @property
    def ready(self) -> Ready | None:
        """What the worker has said of its model."""
        return self.run.ready if self.run else None

    @property
    def infer_ms(self) -> float:
        """About how long an inference takes, milliseconds; 0 without a worker."""
        return self._models.infer_us(self.run.ready.bundle) / 1000 if self.run else 0.0

    @property
    def fault(self) -> Fault | None:
        """None ever: its workers die without a word."""
        return None

    @property
    def ledger(self) -> Ledger:
        """The frames' accounts: each was inferred, or failed."""
        failed = {"simulated": self.failed} if self.failed else {}
        return Ledger(captured=self.frames, inferred=self.frames - self.failed, failed=failed)

    def serve(self, model: str, digest: str) -> None:
        """Say what later starts run."""
        self._served = model, digest

    def swap(self, model: str, digest: str, token: int) -> bool:
        """Serve another model from now on."""
        if self.run is None:
            return False
        self.run.ready = self._models.ready(model, digest)  # as with a real one, its life goes on
        self._arm(digest)
        self._replies.append(
            Swapped(**self.run.ready.model_dump(exclude={"type", "confined", "stages"}), token=token)
        )
        return True

    def settle(self) -> None:
        """Let go of what does not serve: there is nothing to let go of."""

    def start(self, now: float) -> None:
        """Start the worker."""
        self._now = now
        self.run, self.state = Life(self._models.ready(*self._served)), State.RUNNING
        self._arm(self._served[1])

    def restart(self, now: float) -> None:
        """Have a new worker, with what ``serve`` has named."""
        self.start(now)

    def take_replies(self) -> list[Swapped | Unswapped]:
        """Give the answers to swaps since the last call."""
        replies, self._replies = self._replies, []
        return replies

    def tick(self, now: float) -> None:
        """Let the worker die, and a new one start, when that is due."""
        self._now = now
        if self._crash_at and now >= self._crash_at:
            self._crash_at = 0.0
            self.run, self.state, self._back_at = None, State.BACKOFF, now + _BACK_S
            self.restarts += 1
            self.problem = "ended by SIGSEGV"
        elif self.state is State.BACKOFF and now >= self._back_at:
            self.start(now)

    def answer(self, count: int, now: float) -> list[Record]:
        """Give the results of ``count`` frames; none while there is no worker."""
        ready = self.ready
        if ready is None:
            return []
        fails = self._traits.fails and bool(ready.bundle)
        captured_ns, infer_us = int(now * 1e9), self._models.infer_us(ready.bundle)
        records = []
        for _ in range(count):
            self.frames += 1
            if fails:
                self.failed += 1
                items: list[dict[str, object]] = [{"reason": "simulated"}]
                record = Record(frame=self.frames, captured_ns=captured_ns, kind="failed", items=items)
            else:
                score = round(self._rng.uniform(0.5, 1), 3)
                items = [{"label": self._rng.choice(_LABELS), "score": score}]
                took = int(infer_us * self._rng.uniform(0.9, 1.1))
                record = Record(
                    frame=self.frames,
                    captured_ns=captured_ns,
                    infer_us=took,
                    kind="classification",
                    items=items,
                )
            records.append(record)
        return records

    def _arm(self, digest: str) -> None:
        """A model from a bundle will crash where such models do."""
        self._crash_at = self._now + self._traits.crashes_s if digest and self._traits.crashes_s else 0.0
