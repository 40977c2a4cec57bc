"""The desired states that a rollout publishes: with its model, and with what was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent.documents.desired import Desired, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.documents.reported import Reported, Serving
    from agent.fleet.rollouts.record import Member, Plan


def before(plan: Plan, latest: Desired | None, reported: Reported | None) -> dict[str, Wanted | None]:
    """Give what each pipeline of a device is to have when the rollout is aborted; None: nothing is wanted.

    It is what its desired state wants: the newest that we know, else that which the device says it has taken.
    Where those do not name the pipeline, it is the bundle that serves, if a desired state can name that.
    """
    found: dict[str, Wanted | None] = {}
    for one in plan.pipelines:
        wanted = latest.models.get(one) if latest else None
        standing = reported.pipelines.get(one) if reported else None
        wanted = wanted or (standing.wanted if standing else None)
        serving = standing.serving if standing else None
        found[one] = wanted or _named(serving)
    return found


def _named(serving: Serving | None) -> Wanted | None:
    """Give the bundle that serves, as a desired state names it; a device may call it what it likes."""
    if serving is None or not serving.bundle:
        return None
    try:
        return Wanted(name=serving.name, version=serving.version)
    except ValidationError:
        return None  # nothing is published under such a name


def wants(latest: Desired | None, plan: Plan) -> bool:
    """Whether a desired state wants the rollout's model in each of its pipelines."""
    return latest is not None and all(latest.models.get(one) == plan.model for one in plan.pipelines)


def forward(
    plan: Plan, member: Member, device: str, latest: Desired | None, *, told: int, issued: int
) -> Desired | None:
    """Give the desired state that has a device run the model; None where one was published already.

    Args:
        plan: of the rollout.
        member: the device, whose ``floor`` is known.
        device: its name.
        latest: the newest desired state that is known.
        told: the generation that the device says it has taken.
        issued: seconds since 1970.
    """
    if latest is not None and wants(latest, plan) and latest.generation > (member.floor or 0):
        return None
    models = dict.fromkeys(plan.pipelines, plan.model)
    wish = _next(plan, device, latest, models, told=max(told, member.floor or 0), issued=issued)
    news = {"frames": plan.frames, "seconds": plan.seconds}
    probation = wish.probation.model_copy(
        update={key: value for key, value in news.items() if value is not None}
    )
    return wish.model_copy(update={"deadline_s": plan.deadline_s, "probation": probation})


def back(
    plan: Plan, member: Member, device: str, latest: Desired | None, *, told: int, issued: int
) -> Desired | None:
    """Give the desired state that puts back what was; None where nothing of the rollout is wanted.

    Only a pipeline of which the rollout's model is still wanted is changed: somebody may have deployed since.
    """
    if latest is None or member.floor is None or latest.generation <= member.floor:
        return None
    ours = [one for one in plan.pipelines if latest.models.get(one) == plan.model]
    changed = {one: member.previous.get(one) for one in ours if member.previous.get(one) != plan.model}
    if not changed:
        return None
    return _next(plan, device, latest, changed, told=told, issued=issued)


def _next(
    plan: Plan,
    device: str,
    latest: Desired | None,
    models: Mapping[str, Wanted | None],
    *,
    told: int,
    issued: int,
) -> Desired:
    """Change some models and nothing else, in the next generation."""
    merged = {**(latest.models if latest else {}), **models}
    news = {
        "generation": max(latest.generation if latest else 0, told) + 1,
        "models": {pipeline: wanted for pipeline, wanted in merged.items() if wanted is not None},
        "issued": issued,
    }
    if latest is not None:
        return latest.model_copy(update=news)
    return Desired.model_validate({"fleet": plan.fleet, "device": device, **news})
