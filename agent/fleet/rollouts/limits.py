"""Whether a wave is over, and whether it is a bad one: counts of its devices against the plan."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agent.fleet.rollouts.measures import broken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.fleet.rollouts.measures import Measures
    from agent.fleet.rollouts.record import Condition, Member, Plan

_HAIR = 1e-9
"""2% of 100 devices are 2 devices, whatever binary fractions say."""
_NAMED = 5


def counts(members: Mapping[str, Member]) -> Counter[str]:
    """Count devices by their verdict; those that a person has excused go by that."""
    return Counter("excused" if one.excused else one.verdict for one in members.values())


def settled(members: Mapping[str, Member]) -> bool:
    """Whether each device of a wave has come to something."""
    return all(one.verdict != "waiting" for one in members.values())


def too_many(plan: Plan, wave: int, members: Mapping[str, Member]) -> str:
    """Say which limit on a wave's devices is broken; "" for none.

    As soon as more than the share has failed, whatever the others are still about to do.
    """
    found = counts(members)
    size = len(members) - found["superseded"]
    failed = found["failed"] + (found["silent"] if plan.max_silent is None else 0)
    if failed > plan.max_fail * size + _HAIR:
        may = f"{100 * plan.max_fail:.4g}% may"
        return f"wave {wave + 1}: {failed} of {size} devices failed, and {may}: {_first(members)}"
    silent = found["silent"]
    if plan.max_silent is not None and silent > plan.max_silent * size + _HAIR:
        may = f"{100 * plan.max_silent:.4g}% may be"
        return f"wave {wave + 1}: {silent} of {size} devices are silent, and {may}"
    return ""


def nobody(wave: int, members: Mapping[str, Member]) -> str:
    """Say that no device of a wave runs the model, so that it proves nothing; "" where one does."""
    if any(one.verdict == "converged" for one in members.values()):
        return ""
    return f"wave {wave + 1}: no device of it runs the model"


def crossed(plan: Plan, wave: int, members: Mapping[str, Member], measures: Measures) -> str:
    """Say which condition a wave breaks; "" for none, and while fewer than half of its devices say it."""
    running = {name: one for name, one in members.items() if one.verdict == "converged"}
    for condition in plan.conditions:
        value, said = measures.value(condition, running)
        if value is not None and said * 2 >= len(members) and broken(condition, value):
            return f"wave {wave + 1}: {_told(condition, value)}"
    return ""


def judged(plan: Plan, wave: int, members: Mapping[str, Member], measures: Measures) -> str:
    """Say why a wave that has soaked may not pass: a condition that it breaks, or that nobody could judge."""
    running = {name: one for name, one in members.items() if one.verdict == "converged"}
    for condition in plan.conditions:
        value, _ = measures.value(condition, running)
        if value is None:
            against = " before and after" if condition.relative else ""
            return f"wave {wave + 1}: none of its devices says its {condition.metric}{against}"
        if broken(condition, value):
            return f"wave {wave + 1}: {_told(condition, value)}"
    return ""


def _told(condition: Condition, value: float) -> str:
    unit = " times what it was" if condition.relative else ""
    return f"{condition.text}: the median of its devices is {value:.4g}{unit}"


def _first(members: Mapping[str, Member]) -> str:
    bad = [name for name, one in members.items() if one.verdict in {"failed", "silent"} and not one.excused]
    named = [f"{name} ({members[name].reason})" for name in bad[:_NAMED]]
    return ", ".join(named)[:400]
