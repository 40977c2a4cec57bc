"""What became of a device, by what it reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agent.documents.desired import Wanted
    from agent.documents.reported import Reported, Standing
    from agent.fleet.rollouts.record import Member, Plan, Verdict
    from agent.fleet.rollouts.seams import View

_WORDS = 500
_RANK: dict[Verdict, int] = {"failed": 0, "superseded": 1, "waiting": 2, "silent": 2, "converged": 3}


def judge(reported: Reported | None, plan: Plan, generation: int) -> tuple[Verdict, str]:
    """Say what became of a device, and why; of several pipelines the one that is worst off counts.

    Args:
        reported: what it says; None where nothing is heard.
        plan: of the rollout.
        generation: of the desired state that was published for it.
    """
    if reported is None:
        return "waiting", "nothing is heard of it"
    if reported.generation < generation:
        return "waiting", reported.problem or "it has not taken the desired state yet"
    verdicts = [_of(reported, one, plan.model, generation) for one in plan.pipelines]
    verdict, reason = min(verdicts, key=lambda one: _RANK[one[0]])
    return verdict, reason[:_WORDS]


def _of(reported: Reported, pipeline: str, model: Wanted, generation: int) -> tuple[Verdict, str]:
    standing = reported.pipelines.get(pipeline)
    if standing is None:
        return "failed", f"it has no pipeline {pipeline}"
    if standing.wanted == model:
        return _standing(standing, model, generation)
    if reported.generation > generation:
        return "superseded", f"generation {reported.generation} wants {standing.wanted or 'nothing'}"
    return "waiting", standing.reason or reported.problem


def _standing(standing: Standing, model: Wanted, generation: int) -> tuple[Verdict, str]:
    if standing.state == "active" and serves(standing, model):
        return "converged", ""
    if standing.state in {"rejected", "rolled_back"} and standing.generation >= generation:
        return "failed", f"{standing.state}: {standing.reason}"
    if standing.overdue:
        return "failed", f"overdue: {standing.reason or standing.state}"
    return "waiting", standing.reason or standing.state


def serves(standing: Standing | None, model: Wanted) -> bool:
    """Whether this model takes the pipeline's frames."""
    found = standing.serving if standing else None
    return found is not None and (found.name, found.version) == (model.name, model.version)


def restored(plan: Plan, member: Member, name: str, view: View) -> Literal["back", "pending", "stuck"]:
    """Say whether a device is back on what it had before the rollout.

    ``stuck`` is one that runs the model where it had none that a desired state can name. Who is offline
    counts as back: what was waits for it at the broker.
    """
    report = view.reports.get(name)
    if not member.back or report is None:
        return "back"
    ours = [one for one, was in member.previous.items() if was != plan.model]
    running = [one for one in ours if serves(report.pipelines.get(one), plan.model)]
    if any(member.previous[one] is None for one in running):
        return "stuck"
    if name not in view.online:
        return "back"
    return "pending" if running or report.generation < member.back else "back"
