"""Keywords: what is reported of a window, and what is background."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.decoders import keywords
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=16000, width=1)
LABELS = Labels(("_silence_", "unknown", "yes", "no", "up"))
SCORES = TensorSpec("scores", "float32", (1, 5))


def heard(*scores: float, labels: Labels = LABELS, **options: Any) -> list[tuple[str, float]]:
    decoder = keywords.build(keywords.Options(**options), Signature((), (SCORES,)), labels)
    result = decoder.decode([np.array([scores], np.float32)], FRAME)
    assert result.kind == "keywords"
    return [(item["label"], item["score"]) for item in result.items]


def test_the_best_are_given_with_their_index_and_without_the_background() -> None:
    decoder = keywords.build(keywords.Options(top_k=2), Signature((), (SCORES,)), LABELS)
    [first, second] = decoder.decode([np.array([[0.2, 0.1, 0.05, 0.5, 0.15]], np.float32)], FRAME).items
    assert first == {"label": "no", "index": 3, "score": 0.5}
    assert second == {"label": "up", "index": 4, "score": 0.15}


def test_a_window_in_which_the_background_is_best_says_nothing() -> None:
    assert heard(0.5, 0.0, 0.4, 0.1, 0.0) == []
    assert heard(0.5, 0.0, 0.4, 0.1, 0.0, suppress=False, top_k=1) == [("yes", 0.4)]


def test_the_background_is_named_without_regard_to_case_and_underscores() -> None:
    assert heard(0.1, 0.0, 0.7, 0.1, 0.1, ignore=("SILENCE", "Yes")) == []
    assert heard(0.1, 0.0, 0.2, 0.6, 0.1, ignore=("Silence", "yes"))[0] == ("no", 0.6)


def test_nothing_is_background_when_nothing_is_ignored() -> None:
    assert heard(0.5, 0.0, 0.4, 0.1, 0.0, ignore=(), top_k=1) == [("_silence_", 0.5)]


def test_ignored_classes_take_no_place_among_the_best() -> None:
    found = heard(0.25, 0.2, 0.3, 0.15, 0.1, top_k=3)
    assert [label for label, _ in found] == ["yes", "no", "up"]


def test_what_scores_too_low_is_left_out() -> None:
    assert heard(0.1, 0.0, 0.5, 0.3, 0.1, min_score=0.3) == [("yes", 0.5), ("no", 0.3)]


def test_events_that_come_together_are_scored_each_by_itself() -> None:
    found = heard(-9, -9, 2.0, 2.0, -2.0, activation="sigmoid", min_score=0.5)
    assert found == [("yes", 0.880797), ("no", 0.880797)]


def test_a_word_to_ignore_that_is_no_label_is_a_mistake_unless_it_is_the_usual_one() -> None:
    with pytest.raises(ModelInvalid, match="ignore names 'silense', which is none of the 5 labels"):
        heard(0, 0, 0, 0, 0, ignore=("silense",))
    assert heard(0.1, 0.2, 0.3, 0.2, 0.2, labels=Labels(tuple("abcde")))[0] == ("c", 0.3)
    assert heard(0.1, 0.2, 0.3, 0.2, 0.2, labels=Labels(), ignore=("x",))[0] == ("class 2", 0.3)


def test_a_window_without_a_finite_score_is_rejected() -> None:
    with pytest.raises(InputRejected, match="none of its 5 values is finite"):
        heard(*[float("nan")] * 5)


def test_other_outputs_and_other_labels_are_refused_in_the_name_of_the_task() -> None:
    with pytest.raises(ModelInvalid, match="keywords: the task wants one output with a score per class"):
        keywords.build(keywords.Options(), Signature((), (SCORES, SCORES)), LABELS)
    with pytest.raises(ModelInvalid, match="keywords: there are 2 labels for 5 classes"):
        keywords.build(keywords.Options(), Signature((), (SCORES,)), Labels(("a", "b")))
