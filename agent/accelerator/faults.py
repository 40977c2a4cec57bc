"""How an accelerator fails a worker; each is an incident of the kind of the same name."""

from __future__ import annotations

from typing import ClassVar, Literal

from agent.errors import BackendFault

IncidentKind = Literal["overrun", "died", "refused", "garbage", "load"]


class AcceleratorFault(BackendFault):
    """The accelerator failed; ``kind`` says how."""

    kind: ClassVar[IncidentKind]


class Overrun(AcceleratorFault):
    """No answer in time. What it answers later is never looked at."""

    kind = "overrun"


class Died(AcceleratorFault):
    """Its process has ended, or breaks the protocol."""

    kind = "died"


class Refused(AcceleratorFault):
    """It said no to one inference; the next may be fine."""

    kind = "refused"


class Garbage(AcceleratorFault):
    """It computes something else than the golden answers."""

    kind = "garbage"


class NotLoaded(AcceleratorFault):
    """It does not load the model."""

    kind = "load"


class Occupied(BackendFault):
    """It loads another worker's model: no incident, and no answer for this frame."""
