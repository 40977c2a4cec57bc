"""Results of a recording beside those of a replay: what counts as a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.recordings.comparing import differs, tolerance
from agent.recordings.documents import Outcome, Reference
from tests.simulators.recorded_results import REFERENCE, RESULTS

if TYPE_CHECKING:
    from collections.abc import Callable


def outcome(frame: int, *items: dict[str, object], kind: str = "classification") -> Outcome:
    return Outcome(frame=frame, kind=kind, items=list(items))


SAME: Callable[[], Outcome] = lambda: outcome(0, {"label": "star", "score": 0.5})  # noqa: E731 - a constant


@pytest.mark.parametrize(
    ("found", "expect", "most", "difference"),
    [
        (SAME(), SAME(), 0.0, ""),
        (outcome(0, {"label": "star", "score": 0.51}), SAME(), 0.02, ""),
        (outcome(0, {"label": "star", "score": 0.51}), SAME(), 0.0, "item 0: score is 0.51 in place of 0.5"),
        (outcome(0, {"label": "ring", "score": 0.5}), SAME(), 1.0, "item 0: label is ring in place of star"),
        (outcome(0, SAME().items[0], SAME().items[0]), SAME(), 1.0, "2 items in place of 1"),
        (outcome(0), SAME(), 1.0, "0 items in place of 1"),
        (outcome(0, {"label": "star"}), SAME(), 1.0, "item 0 has label in place of label, score"),
        (outcome(0, kind="tensor"), SAME(), 1.0, "a tensor in place of a classification"),
        (None, SAME(), 1.0, "no answer in place of a classification"),
        (SAME(), None, 1.0, "a classification in place of no answer"),
        (None, None, 0.0, ""),
        (
            outcome(0, {"reason": "input", "problem": "/a"}, kind="failed"),
            outcome(0, {"reason": "input", "problem": "/b"}, kind="failed"),
            0.0,
            "",
        ),
        (
            outcome(0, {"reason": "crash"}, kind="failed"),
            outcome(0, {"reason": "input"}, kind="failed"),
            0.0,
            "it failed for crash in place of input",
        ),
        (
            outcome(0, {"reason": "crash"}, kind="failed"),
            SAME(),
            0.0,
            "it failed (crash) in place of a classification",
        ),
    ],
)
def test_results_are_compared_item_by_item_and_none_may_be_more(
    found: Outcome | None, expect: Outcome | None, most: float, difference: str
) -> None:
    assert differs(found, expect, most) == difference


def test_the_same_model_on_the_same_reference_is_held_to_the_bit_and_anything_else_to_the_tolerance() -> None:
    assert tolerance(RESULTS, "a" * 64, REFERENCE, None)[0] == 0.0
    assert tolerance(RESULTS, "b" * 64, REFERENCE, None) == (0.1, "another model")
    for name in Reference.model_fields:
        other = REFERENCE.model_copy(update={name: "other"})
        assert tolerance(RESULTS, "a" * 64, other, None) == (0.1, f"another {name}")
    assert tolerance(RESULTS, "b" * 64, REFERENCE, 0.5) == (0.5, "as it was asked for")
