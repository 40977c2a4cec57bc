"""What the operator wants of one pipeline, and what is given besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.documents.desired import Desired, Probation, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.errors import BundleRefused
    from agent.slots import SlotRow, Verdict


def _allow(row: SlotRow) -> None:
    del row


def _at_any_time() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a pipeline's course depends on, and what stays the same while the agent runs.

    Attributes:
        configured: whether the configuration names a model for the pipeline, to fall back to.
        boot: the kernel's boot id.
        judge: refuses a bundle that today's policy does not allow.
        retry_s: seconds until the next try after a first strike; each further one doubles it.
        waits: says why nothing that disturbs may be done now, "" when it may.
    """

    configured: bool
    boot: str
    judge: Callable[[SlotRow], BundleRefused | None] = _allow
    retry_s: float = 20.0
    waits: Callable[[], str] = _at_any_time


@dataclass(frozen=True, slots=True)
class Goal:
    """A model that a pipeline shall run.

    Attributes:
        generation: of the desired state that asks for it.
        deadline_s: how long that may take, powered seconds, until it is reported as overdue.
    """

    name: str
    version: str
    generation: int
    probation: Probation = field(default_factory=Probation)
    deadline_s: float = 86400.0

    @property
    def wanted(self) -> Wanted:
        """The model alone."""
        return Wanted(name=self.name, version=self.version)

    def met_by(self, row: SlotRow | None) -> bool:
        """Whether a slot holds this model."""
        return row is not None and (row.name, row.version) == (self.name, self.version)

    def judged_by(self, verdict: Verdict) -> bool:
        """Whether a verdict stands against this model; a newer generation asks for another try."""
        same = (verdict.name, verdict.version) == (self.name, self.version)
        return same and verdict.generation >= self.generation


def goals(desired: Desired) -> dict[str, Goal]:
    """Give the goal of each pipeline that a desired state names."""
    return {
        pipeline: Goal(wanted.name, wanted.version, desired.generation, desired.probation, desired.deadline_s)
        for pipeline, wanted in desired.models.items()
    }
