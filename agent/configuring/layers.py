"""What lies over the file: the desired state's settings, and over those a command's for a while. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from agent.documents.base import Document
from agent.events import Event, emit
from agent.processes.message import Count
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

D = TypeVar("D", bound=Document)
ACTIVE, CANDIDATE = "settings/active", "settings/candidate"
"""Names of the kept documents."""
REASON = 500
"""Characters of a reason that are kept."""


class Temporary(Document):
    """A command's settings.

    ``until`` is when they end, seconds of the monotonic clock of the boot ``boot``; 0 for with the next
    desired state or command.
    """

    order: str
    values: dict[str, Any] = Field(default={}, max_length=256)
    boot: str = ""
    until: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def holds(self, boot: str, now: float) -> bool:
        """Whether they have not ended; a timed one ends with the boot, too."""
        return not self.until or (self.boot == boot and now < self.until)


class Layers(Document):
    """Both, and which generation of desired state the lower one is of; 0 for none."""

    generation: Count = 0
    desired: dict[str, Any] = Field(default={}, max_length=256)
    temporary: Temporary | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What lies over the file."""
        return self.desired | (self.temporary.values if self.temporary else {})

    @property
    def order(self) -> str:
        """The id of the command whose settings are among them; "" for none."""
        return self.temporary.order if self.temporary else ""

    @property
    def bare(self) -> bool:
        """Whether nobody ever wanted anything."""
        return self.temporary is None and not self.desired

    def at(self, boot: str, now: float) -> Layers:
        """Give what holds of them at this time."""
        if self.temporary is None or self.temporary.holds(boot, now):
            return self
        return self.model_copy(update={"temporary": None})


class Candidate(Document):
    """Settings that are wanted and not active.

    ``risky`` is the kernel's boot id while they are on probation, "" after an end in good order.
    """

    layers: Layers
    state: Literal["waiting", "probation"] = "waiting"
    strikes: Annotated[int, Field(ge=0, le=1000)] = 0
    risky: str = ""
    reason: str = ""


class Verdict(Document):
    """Settings that shall not be tried again: those of this generation, or of this command."""

    state: Literal["rejected", "rolled_back"]
    generation: Count = 0
    order: str = ""
    reason: str = ""


class Pending(Document):
    """The kept document of what is not active."""

    candidate: Candidate | None = None
    verdict: Verdict | None = None
    failed: Verdict | None = None
    """What became of the last command that failed: it may ask again."""


def active_of(documents: Mapping[str, bytes]) -> Layers:
    """Read the layers that are active; what cannot be read is as good as none."""
    return _read(Layers, documents, ACTIVE)


def pending_of(documents: Mapping[str, bytes]) -> Pending:
    """Read what is not active; likewise."""
    return _read(Pending, documents, CANDIDATE)


def _read(kind: type[D], documents: Mapping[str, bytes], name: str) -> D:
    if not (body := documents.get(name)):
        return kind()
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        emit(Event.SETTINGS_REFUSED, name, problem=first_problem(error))
        return kind()
