"""Tracks: one number for one object, for as long as it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.filters import track
from agent.filters.track import Options, Track
from tests.simulators.filtering import going_on, item

if TYPE_CHECKING:
    from collections.abc import Sequence


def tracks(filter_: Track, seconds: float, items: Sequence[dict[str, Any]]) -> list[int | None]:
    return [one.get("track") for one in going_on(filter_, seconds, items).items]


def test_a_track_is_told_once_it_was_seen_so_often_on_end() -> None:
    one = track.build(Options(min_hits=3))
    assert [tracks(one, at / 10, [item(0.5)]) for at in range(4)] == [[None], [None], [1], [1]]
    assert tracks(one, 0.5, [item(0.9)]) == [None]
    assert tracks(one, 0.6, []) == []
    assert [tracks(one, at / 10, [item(0.9)]) for at in range(7, 10)] == [[None], [None], [2]]


def test_two_that_pass_each_other_keep_their_numbers() -> None:
    one = track.build(Options(min_hits=1))
    for at in range(21):
        left, right = 0.1 + 0.04 * at, 0.9 - 0.04 * at
        assert tracks(one, at / 10, [item(left, 0.48), item(right, 0.56)]) == [1, 2]


def test_a_track_has_one_label() -> None:
    one = track.build(Options(min_hits=1))
    assert tracks(one, 0, [item(0.5)]) == [1]
    assert tracks(one, 0.1, [item(0.5, label="dog"), item(0.5)]) == [2, 1]


def test_a_low_score_goes_on_with_a_track_and_begins_none() -> None:
    one = track.build(Options(min_hits=1, start_score=0.6))
    assert tracks(one, 0, [item(0.5), item(0.2, score=0.5)]) == [1, None]
    assert tracks(one, 0.1, [item(0.5, score=0.3), item(0.2, score=0.5)]) == [1, None]


def test_a_high_score_is_asked_before_a_low_one_that_overlaps_more() -> None:
    one = track.build(Options(min_hits=1, start_score=0.6))
    tracks(one, 0, [item(0.5)])
    assert tracks(one, 0.1, [item(0.5, score=0.3), item(0.52)]) == [None, 1]


def test_items_without_a_box_pass_as_they_are_and_those_without_a_track_can_be_left_out() -> None:
    plain = {"label": "rain", "index": 3, "score": 0.4}
    one = track.build(Options(tracked_only=True))
    assert going_on(one, 0, [plain, item(0.5)]).items == (plain,)
    assert going_on(one, 0.1, [plain, item(0.5)]).items == (plain, {**item(0.5), "track": 1})


def test_what_was_lost_for_longer_is_another_one_when_it_comes_back() -> None:
    one = track.build(Options(min_hits=1, keep_s=1))
    assert tracks(one, 0, [item(0.5)]) == [1]
    tracks(one, 0.5, [])
    assert tracks(one, 0.9, [item(0.5)]) == [1]
    for at in (1.2, 1.6, 2.0):
        tracks(one, at, [])
    assert tracks(one, 2.1, [item(0.5)]) == [2]


def test_frames_that_were_never_looked_at_lose_no_track() -> None:
    one = track.build(Options(min_hits=1, keep_s=1))
    for at in range(10):
        tracks(one, at / 10, [item(0.5)])
    assert tracks(one, 30, [item(0.5)]) == [1]


def test_boxes_can_be_widened_for_what_moves_by_more_than_its_size_between_two_frames() -> None:
    ways = [item(0.1 + 0.15 * at) for at in range(5)]
    for reach, told in ((0.0, [1, 2, 3, 4, 5]), (2.0, [1] * 5)):
        one = track.build(Options(min_hits=1, reach=reach))
        assert [tracks(one, at / 2, [way])[0] for at, way in enumerate(ways)] == told


@pytest.mark.parametrize(
    "box", [[0, 0, 1], [0, 0, 1, float("nan")], [0, 0, 1e300, 1], [1, 1, 0, 0], "box", None, [[0], 1, 2, 3]]
)
def test_what_is_no_box_is_refused(box: Any) -> None:
    with pytest.raises(InputRejected, match="ymin, xmin, ymax, xmax"):
        going_on(track.build(Options()), 0, [{**item(0.5), "box": box}])


SPOTS = st.tuples(
    st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.sampled_from("ab"), st.floats(0, 1), st.floats(0.01, 0.4)
)


@settings(max_examples=50)
@given(stream=st.lists(st.tuples(st.floats(0, 2), st.lists(SPOTS, max_size=6)), max_size=12))
def test_no_two_items_of_a_result_have_one_number_and_a_number_has_one_label(stream: Any) -> None:
    one, now, labels = track.build(Options(min_hits=1, start_score=0.3)), 1.0, dict[int, str]()
    for later, spots in stream:
        now += later
        items = [item(x, y, label=label, score=score, size=size) for x, y, label, score, size in spots]
        found = [i for i in going_on(one, now, items).items if "track" in i]
        assert len({i["track"] for i in found}) == len(found)
        for i in found:
            assert labels.setdefault(i["track"], i["label"]) == i["label"]
    assert sorted(labels) == list(range(1, len(labels) + 1))


@settings(max_examples=50)
@given(
    start=st.floats(0.1, 0.9),
    speed=st.floats(-0.6, 0.6),
    gap=st.integers(1, 8),
    size=st.floats(0.08, 0.3),
)
def test_what_moves_on_a_straight_line_keeps_its_number_through_gaps(
    start: float, speed: float, gap: int, size: float
) -> None:
    one, told = track.build(Options(keep_s=1, min_hits=1)), set()
    for at in range(45):
        seen = not 15 <= at % 30 < 15 + gap
        place = start + speed * at / 15
        found = tracks(one, at / 15, [item(place, size=size)] if seen else [])
        told |= set(found)
    assert told == {1}


def test_endless_new_objects_and_labels_take_no_more_memory() -> None:
    one = track.build(Options(min_hits=1, keep_s=600))
    for at in range(300):
        items = [item((k + 0.5) / 40, (at % 20 + 0.5) / 20, label=f"{at}-{k}", size=0.02) for k in range(40)]
        assert None not in tracks(one, at / 1000, items)
    assert len(one) <= 256
    assert len(one._codes) <= 1024 + 40
