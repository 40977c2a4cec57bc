"""Results against golden ones."""

from __future__ import annotations

from typing import Any

import pytest

from agent.golden import differs

STAR = {"label": "star", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.4]}


@pytest.mark.parametrize(
    ("found", "expect"),
    [
        ([STAR], [STAR]),
        ([{**STAR, "index": 3}], [STAR]),
        ([{**STAR, "score": 0.86}], [STAR]),
        ([{**STAR, "score": 1}], [{"score": 0.96}]),
        ([{**STAR, "box": [0.14, 0.16, 0.3, 0.4]}], [STAR]),
        ([STAR, {"label": "ring"}], [STAR]),
        ([], []),
    ],
)
def test_items_that_are_near_enough_agree(found: Any, expect: Any) -> None:
    assert differs(found, expect, 0.05) == ""


@pytest.mark.parametrize(
    ("found", "expect", "words"),
    [
        ([], [STAR], "0 items in place of 1"),
        ([STAR], [], "1 items in place of 0"),
        ([{**STAR, "label": "ring"}], [STAR], "item 0: label is ring in place of star"),
        ([{**STAR, "score": 0.84}], [STAR], "item 0: score is 0.84 in place of 0.9"),
        ([{**STAR, "score": None}], [STAR], "score is None"),
        ([{**STAR, "score": True}], [{"score": 1.0}], "score is True"),
        ([{**STAR, "score": "0.9"}], [STAR], "score is 0.9"),
        ([{**STAR, "score": float("nan")}], [STAR], "score is nan"),
        ([{**STAR, "box": [0.1, 0.2, 0.3]}], [STAR], "box is"),
        ([{**STAR, "box": 1}], [STAR], "box is"),
        ([STAR, {}], [STAR, STAR], "item 1: label is None"),
    ],
)
def test_the_first_difference_is_named(found: Any, expect: Any, words: str) -> None:
    assert words in differs(found, expect, 0.05)
