"""Classes: fewer labels, higher scores, other sizes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from agent.filters import classes
from agent.filters.classes import Options
from tests.simulators.filtering import going_on, item

ITEMS = (
    item(0.5, label="cat", size=0.1),
    {**item(0.5, label="dog", size=0.5), "score": 0.5},
    {"label": "rain", "index": 1, "score": 0.2},
    {"value": 3.5},
)


def left(**options: Any) -> list[Any]:
    return [i.get("label") for i in going_on(classes.build(Options(**options)), 0, ITEMS).items]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ["cat", "dog", "rain", None]),
        ({"only": ["cat", "rain"]}, ["cat", "rain", None]),
        ({"without": ["cat"]}, ["dog", "rain", None]),
        ({"only": ["cat", "dog"], "without": ["dog"]}, ["cat", None]),
        ({"min_score": {"dog": 0.6}}, ["cat", "rain", None]),
        ({"min_score": {"*": 0.4}}, ["cat", "dog", None]),
        ({"min_score": {"*": 0.4, "rain": 0.1}}, ["cat", "dog", "rain", None]),
        ({"min_area": 0.1}, ["dog", "rain", None]),
        ({"max_area": 0.1}, ["cat", "rain", None]),
    ],
)
def test_what_stays_is_what_is_wanted(options: dict[str, Any], wanted: list[Any]) -> None:
    assert left(**options) == wanted


def test_a_score_beyond_0_and_1_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Options(min_score={"cat": 60})
