"""The operator's next desired state of one device, from those that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.documents.desired import Desired, Probation, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Change:
    """What the next desired state says that the last one did not; None leaves a value as it was."""

    pipeline: str
    wanted: Wanted
    frames: int | None = None
    seconds: float | None = None
    deadline_s: float | None = None


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
    """
    last = max((one for one in before if one), key=lambda one: one.generation, default=None)
    probation = last.probation if last else Probation()
    news = {"frames": change.frames, "seconds": change.seconds}
    news = {key: value for key, value in news.items() if value is not None}
    deadline_s = change.deadline_s or (
        last.deadline_s if last else Desired.model_fields["deadline_s"].default
    )
    return Desired(
        fleet=fleet,
        device=device,
        generation=max(last.generation if last else 0, floor) + 1,
        models={**(last.models if last else {}), change.pipeline: change.wanted},
        probation=Probation.model_validate({**probation.model_dump(), **news}),
        deadline_s=deadline_s,
        issued=issued,
    )
