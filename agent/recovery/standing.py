"""What is said of accelerators, and of what pipelines use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.boards.accelerators import NOWHERE
from agent.recovery.ladder import State

if TYPE_CHECKING:
    from agent.recovery.borrower import Borrower
    from agent.recovery.incidents import Blindness
    from agent.recovery.owner import Owner


def of_accelerator(owner: Owner, blindness: Blindness, now: float) -> dict[str, Any]:
    """Say how an accelerator is."""
    ladder = owner.ladder
    return {
        "name": owner.name,
        "kind": owner.spec.accelerator.kind,
        "state": owner.state.value,
        "since_s": round(now - ladder.since, 1),
        "device": owner.description,
        "pid": owner.life.process.pid if owner.life else None,
        "rung": ladder.climbed,
        "restarts": owner.restarts,
        "incidents": dict(sorted(owner.incidents.items())),
        "problem": owner.problem or None,
        "blind_ms": round(blindness.last_us / 1000, 1),
        "blind_sum_ms": round(blindness.sum_us / 1000, 1),
        "next_try_s": round(max(0.0, ladder.due - now), 1) if owner.state is State.RESTING else None,
    }


def of_pipeline(borrower: Borrower) -> dict[str, Any]:
    """Say which accelerator a pipeline uses, and whether its CPU twin stands in for one."""
    held = borrower.held if borrower.accelerated else None
    ready = borrower.lane.ready
    has_twin = borrower.lane.run is not None and (ready is None or ready.delegate != NOWHERE)
    return {
        "accelerator": held.owner.name if held else None,
        "twin": bool(borrower.order) and has_twin and held is None,
    }
