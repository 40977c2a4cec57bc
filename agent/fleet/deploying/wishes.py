"""The operator's next desired state of one device, from those that are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.documents.desired import Desired, Maintenance, Probation, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Change:
    """What the next desired state says that the last one did not; None leaves a value as it was.

    Attributes:
        pipeline: which one shall run ``wanted``; "" where no model changes.
        overrides: settings to lay over those that were there, by their dotted keys.
        unset: keys of settings to take away.
        maintenance: when what disturbs may be done; ``any_time`` takes the window away.
    """

    pipeline: str = ""
    wanted: Wanted | None = None
    frames: int | None = None
    seconds: float | None = None
    deadline_s: float | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    unset: Sequence[str] = ()
    maintenance: Maintenance | None = None
    any_time: bool = False


def following(
    before: Sequence[Desired | None], change: Change, *, fleet: str, device: str, floor: int, issued: int
) -> Desired:
    """Make the next desired state.

    Args:
        before: those that are known; the one of the highest generation is changed.
        change: what is new.
        fleet: the fleet.
        device: the device.
        floor: a generation that the device has taken; the next one is above it, too.
        issued: seconds since 1970.

    Raises:
        pydantic.ValidationError: there are too many settings.
    """
    known = max((one for one in before if one), key=lambda one: one.generation, default=None)
    last = known or Desired(fleet=fleet, device=device, generation=1, models={})
    news = {"frames": change.frames, "seconds": change.seconds}
    news = {key: value for key, value in news.items() if value is not None}
    model = {change.pipeline: change.wanted} if change.wanted else {}
    settings = {key: value for key, value in last.overrides.items() if key not in change.unset}
    return Desired(
        fleet=fleet,
        device=device,
        generation=max(known.generation if known else 0, floor) + 1,
        models={**last.models, **model},
        probation=Probation.model_validate({**last.probation.model_dump(), **news}),
        deadline_s=change.deadline_s or last.deadline_s,
        issued=issued,
        overrides={**settings, **change.overrides},
        maintenance=None if change.any_time else change.maintenance or last.maintenance,
    )
