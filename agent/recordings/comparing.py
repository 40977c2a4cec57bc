"""Whether a model says of a recorded frame what it said when that was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import golden

if TYPE_CHECKING:
    from agent.recordings.documents import Outcome, Reference, Results

FAILED = "failed"


def tolerance(recorded: Results, sha256: str, reference: Reference, given: float | None) -> tuple[float, str]:
    """Give by how much a number may be off, and why so much.

    Args:
        recorded: what the recorded results are of.
        sha256: of the model that runs now.
        reference: what runs it now.
        given: what the command line says; None for nothing.
    """
    if given is not None:
        return given, "as it was asked for"
    if sha256 != recorded.sha256:
        return recorded.tolerance, "another model"
    for name in type(reference).model_fields:
        if getattr(reference, name) != getattr(recorded.reference, name):
            return recorded.tolerance, f"another {name}"
    return 0.0, "model, runtime and processor are those of the recording"


def differs(found: Outcome | None, expect: Outcome | None, most: float) -> str:
    """Compare what was found with what is expected, more strictly than golden answers: there is no item more.

    Args:
        found: of a frame, now; None for a frame that has no answer.
        expect: what was recorded.
        most: by how much a number may be off, in the number's own unit.

    Returns:
        "" when they agree, else the first difference in a few words.
    """
    if found is None or expect is None:
        return "" if found is expect else f"{_told(found)} in place of {_told(expect)}"
    if found.kind != expect.kind:
        return f"{_told(found)} in place of {_told(expect)}"
    if found.kind == FAILED:
        mine, theirs = reason(found), reason(expect)
        return "" if mine == theirs else f"it failed for {mine} in place of {theirs}"
    if len(found.items) != len(expect.items):
        return f"{len(found.items)} items in place of {len(expect.items)}"
    for number, (item, wanted) in enumerate(zip(found.items, expect.items, strict=True)):
        if item.keys() != wanted.keys():
            return f"item {number} has {', '.join(item)} in place of {', '.join(wanted)}"
    return golden.differs(found.items, expect.items, most)


def reason(outcome: Outcome) -> str:
    """Give why a frame failed, as the ledger counts it; the words beside it may name a path."""
    return str(outcome.items[0].get("reason", "")) if outcome.items else ""


def _told(outcome: Outcome | None) -> str:
    if outcome is None:
        return "no answer"
    return f"it failed ({reason(outcome)})" if outcome.kind == FAILED else f"a {outcome.kind}"
