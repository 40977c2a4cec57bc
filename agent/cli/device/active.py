"""Which models serve on this device: asked of the running agent, else read from the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.supervision.control import ask, deserted

if TYPE_CHECKING:
    from agent.plan import Plan
    from agent.workers.spec import LaneSpec


def models(plan: Plan) -> dict[str, Any]:
    """Give what is known of all pipelines' models.

    Raises:
        AgentError: the agent does not answer, or the data folder cannot be read.
    """
    from agent.activation.offline import models as kept

    return kept(plan) if deserted(plan.control) else ask(plan.control, {"op": "models"})


def serving(plan: Plan, lane: LaneSpec) -> LaneSpec:
    """Give a pipeline with the model that serves in it: the operator's, where one is active.

    Raises:
        AgentError: as ``models``.
    """
    if not plan.managed:
        return lane
    slots = models(plan)["pipelines"].get(lane.pipeline, {}).get("slots", {})
    if "active" not in slots:
        return lane
    digest = str(slots["active"]["bundle"])
    return lane.model_copy(update={"model": str(plan.models / "bundles" / digest), "digest": digest})
