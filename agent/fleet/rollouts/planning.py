"""Plans a rollout: who takes part, in which wave; nothing is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid
from agent.fleet.rollouts.admission import admit, by_wave, ordered
from agent.fleet.rollouts.measures import needed, said
from agent.fleet.rollouts.record import Member, Rollout
from agent.fleet.rollouts.wanted import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.fleet.rollouts.record import Plan
    from agent.fleet.rollouts.seams import View
    from agent.manifest import Manifest

_OP = "start rollout"


def planned(plan: Plan, manifest: Manifest, devices: Sequence[str], view: View, *, strict: bool) -> Rollout:
    """Give a rollout that has not begun.

    Args:
        plan: what is wanted.
        manifest: of the model.
        devices: those that were named, at least one.
        view: what is known of them.
        strict: refuse where one cannot take part, or nothing is known of it.

    Raises:
        ConfigInvalid: nobody can take part, one cannot and that was asked for, or nobody says what a
            condition looks at.
    """
    found = admit(manifest, plan.pipelines, devices, view.reports, strict=strict)
    if found.left_out and (strict or not found.devices):
        also = tuple(f"{name}: {reason}" for name, reason in found.left_out.items())
        problem = f"{len(also)} of {len(devices)} devices cannot take part; {also[0]}"
        hint = (
            "Leave --strict out, and they are left out"
            if found.devices
            else "Choose other devices or --pipelines"
        )
        raise ConfigInvalid(_OP, str(plan.model), problem, hint, also=also[1:20])
    _comparable(plan, found.devices, view)
    steps = sizes(plan.waves, len(found.devices))
    order = ordered(found.devices, view.online, steps[0], plan.seed)
    members = {name: Member(wave=wave) for name, wave in by_wave(order, steps).items()}
    unknown = tuple(one for one in found.unknown if one in members)
    return Rollout(plan=plan, sizes=steps, members=members, left_out=found.left_out, unknown=unknown)


def _comparable(plan: Plan, devices: Sequence[str], view: View) -> None:
    """Refuse a condition that could not be judged: no device says what it looks at."""
    for condition in plan.conditions:
        metric = condition.metric
        if needed(condition) and not any(said(metric, plan, view.vitals.get(one)) for one in devices):
            problem = f"no device says its {metric} now"
            hint = "Leave it out, give a number without x, or have devices send vitals: metrics.vitals_s"
            raise ConfigInvalid(_OP, f"--abort {condition.text!r}", problem, hint)
