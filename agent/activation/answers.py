"""Answers about models on the local socket."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from agent.activation.course import Course
    from agent.activation.manager import Activation

OPS = ("models",)
_VERDICTS = 16
"""The newest verdicts of a pipeline that are told: an answer has its bound."""


def answer(request: dict[str, Any], models: Activation | None) -> dict[str, Any]:
    """Answer ``{"op": "models"}``.

    Raises:
        MessageInvalid: the operator's models are not taken here.
    """
    if models is None:
        hint = "Set models.root to the fleet's root metadata, and start the agent again"
        raise MessageInvalid("answer", repr(request["op"]), "this agent takes no operator's models", hint)
    report = models.reported()
    return {
        "generation": report.generation,
        "problem": report.problem,
        "metadata": report.metadata.model_dump(),
        "audit": report.audit.model_dump(),
        "pipelines": {
            name: report.pipelines[name].model_dump() | slots(steering.course)
            for name, steering in models.steerings.items()
        },
    }


def standings(models: Activation | None) -> dict[str, dict[str, Any]]:
    """Say for each pipeline where it stands, and why; for the status report."""
    if models is None:
        return {}
    found = models.reported().pipelines
    keys = {"state", "wanted", "generation", "reason", "strikes", "progress", "overdue"}
    return {name: one.model_dump(include=keys) for name, one in found.items()}


def slots(course: Course) -> dict[str, Any]:
    """Give the slots of a pipeline and its newest verdicts."""
    held = course.held
    verdicts = sorted(held.verdicts.values(), key=lambda one: one.generation)[-_VERDICTS:]
    return {
        "slots": {row.slot: asdict(row) for row in held.rows},
        "verdicts": [asdict(one) for one in verdicts],
    }
