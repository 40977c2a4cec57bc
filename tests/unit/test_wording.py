"""Results in words: what they say, and what never reaches a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wording import events_in_words, failure_in_words, in_words, item_in_words, plain


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "nothing found"),
        (
            [{"label": "star", "score": 0.973, "box": [0, 0, 1, 1]}, {"label": "ring", "score": 0.88}],
            "star 0.97, ring 0.88",
        ),
        (
            [{"label": "anomaly", "index": 1, "score": 0.83, "error": 4.1, "threshold": 0.9}],
            "anomaly 0.83 (4.6 x threshold)",
        ),
        ([{"label": "anomaly", "score": 0.83, "error": 4.1, "threshold": 0}], "anomaly 0.83"),
        ([{"name": "out", "shape": [1, 10]}], "name=out shape=[1, 10]"),
        ([{"label": "star"}], "label=star"),
        ([{"label": "level", "index": 0, "value": 1.25, "unit": "m"}], "level 1.25 m"),
        ([{"label": "load", "index": 0, "step": 3, "value": 7.0}], "load +3 7"),
        (
            [{"text": "the pump \x1b[2J", "tokens": [0, 1], "score": 0.5, "seed": 9}],
            '"the pump \N{REPLACEMENT CHARACTER}[2J" 0.50',
        ),
        ([{"label": "star", "score": None}], "label=star score=None"),
        (
            [{"label": "person", "score": 0.9, "box": [0, 0, 1, 1], "keypoints": [{"label": "nose"}] * 17}],
            "person 0.90 (17 keypoints)",
        ),
        (
            [{"label": "road", "score": 0.9, "share": 0.305, "mask": {"counts": [4]}}],
            "road 0.90 (30% of the frame)",
        ),
        (
            [{"label": "ann", "score": 0.97, "distance": 0.06}, {"vector": [0.6, 0.8]}],
            "ann 0.97, a vector of 2 numbers",
        ),
        ([{"size": [48, 64], "channels": 3, "png": "iVBO", "scaled": 1}], "a picture of 64 x 48"),
        ([{"label": "x" * 41, "score": 1}], "x" * 39 + "… 1.00"),
    ],
)
def test_items_are_told_by_label_and_score_or_by_all_they_have(
    items: list[dict[str, Any]], words: str
) -> None:
    assert in_words(items) == words


def test_events_are_told_behind_a_result_and_reach_no_terminal_as_they_are() -> None:
    crossed = {"event": "line.crossed", "label": "person", "track": 3, "line": "gate", "way": "in"}
    assert events_in_words([]) == ""
    assert events_in_words([crossed, {}, {"event": "zone.left", "zone": "ya\x1b[2Jrd"}]) == (
        "; line.crossed person 3 gate way=in; zone.left ya\N{REPLACEMENT CHARACTER}[2Jrd"
    )


def test_what_was_left_out_is_said() -> None:
    assert in_words([{"label": "star", "score": 1.0}], more=7) == "star 1.00, 7 more"
    assert in_words([], more=3) == "3 items"


def test_a_label_cannot_steer_the_terminal() -> None:
    assert item_in_words({"label": "\x1b[2Jstar\r\n", "score": 0.5}) == "�[2Jstar�� 0.50"


@given(st.text(), st.integers(1, 50))
def test_plain_text_is_one_short_line_of_what_can_be_printed(text: str, most: int) -> None:
    shown = plain(text, most)
    assert len(shown) <= most
    assert shown.isprintable()
    if text.isprintable() and len(text) <= most:
        assert shown == text


@pytest.mark.parametrize(
    "item",
    [
        {"label": "a", "score": 1, "also": [1]},
        {"label": "a", "score": 1, "also": {"x": 1, "y": {}, "z": {"items": 1}}},
        {"label": "a", "score": 1, "also": {"x": {"items": [1, None]}}},
        {"size": [], "png": 1},
        {"label": "a", "score": float("nan"), "share": float("inf")},
        7,
    ],
)
def test_what_a_worker_has_made_up_is_told_as_far_as_it_goes(item: Any) -> None:
    assert in_words([item]).isprintable()
    assert failure_in_words([item]) == ""


def test_why_a_frame_failed_is_told_where_its_worker_says_it() -> None:
    assert failure_in_words([{"problem": "no picture"}]) == "no picture"
    assert failure_in_words([]) == ""
