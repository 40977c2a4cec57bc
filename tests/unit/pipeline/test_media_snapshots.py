"""Snapshots of events, as a worker makes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.media import Media
from agent.media import MAX_MEDIUM, flaw
from agent.pipeline.media import step
from agent.pipeline.media.picture import as_jpeg, fitted, is_picture
from agent.pipeline.media.step import Picturing
from agent.pipeline.slot import Item
from agent.types import FrameInfo, Phase, Result
from agent.workers.program import assembly
from tests.simulators.media_sent import SEEN, S, Sent, grey
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from agent.types import Array


@pytest.fixture
def sent() -> Sent:
    return Sent()


def item(n: int, pixels: Array | None = None, captured_ns: int | None = None) -> Item:
    at = n * S // 5 if captured_ns is None else captured_ns
    return Item(0, FrameInfo(n, at, 48, 64), engine(), pixels=pixels)


def test_waiting_for_the_supervisor_to_take_a_snapshot_has_no_deadline(sent: Sent) -> None:
    beats: list[Phase] = []
    picturing = Picturing(Media(on=("*",)), assembly._sending(sent, beats.append), None)
    picturing(item(1, grey(1)), Result("detection", (), (SEEN,)))
    assert (beats, len(sent.media)) == ([Phase.SEND, Phase.DECODE], 1)


@pytest.mark.parametrize(
    ("shape", "kind", "yes"),
    [
        ((4, 6, 3), np.uint8, True),
        ((4, 6, 1), np.uint8, True),
        ((4, 6), np.uint8, True),
        ((4, 6, 4), np.uint8, False),
        ((4, 6, 3), np.float32, False),
        ((4,), np.uint8, False),
        ((0, 6, 3), np.uint8, False),
    ],
)
def test_what_is_a_picture(shape: tuple[int, ...], kind: type, yes: bool) -> None:
    assert is_picture(np.zeros(shape, kind)) is yes


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([(), (1,), (3,)]))
def test_a_picture_is_scaled_down_to_its_bound_and_any_size_can_be_encoded(
    height: int, width: int, channels: tuple[int, ...]
) -> None:
    picture = fitted(np.zeros((height, width, *channels), np.uint8), 64)
    assert max(picture.shape[:2]) == min(64, max(height, width))
    assert flaw("snapshot", as_jpeg(picture, 80)) == ""


def test_an_event_gets_a_snapshot_that_it_names_by_its_content(sent: Sent) -> None:
    picturing = Picturing(Media(on=("glyph.seen",), width=32), sent, None)
    other = {"event": "other.seen"}
    result = picturing(item(3, grey(200)), Result("detection", (), (other, SEEN)))
    [(head, content)] = sent.media
    assert isinstance(result, Result)
    medium = {
        "kind": "snapshot",
        "type": "image/jpeg",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    assert result.events == (other, {**SEEN, "media": [medium]})
    assert (head["kind"], head["events"], head["frame"]) == ("snapshot", ("glyph.seen",), 3)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert (picture.shape, int(picture[0, 0, 0])) == ((24, 32, 3), 200)


def test_events_of_one_name_get_pictures_so_often_and_no_oftener(sent: Sent) -> None:
    picturing = Picturing(Media(on=("*",), every_s=2), sent, None)
    other = {"event": "other.seen"}
    for n in range(21):  # five a second
        picturing(item(n, grey(n)), Result("detection", (), (SEEN, other) if n == 5 else (SEEN,)))
    assert [(head["frame"], head["events"]) for head, _ in sent.media] == [
        (0, ("glyph.seen",)),
        (5, ("other.seen",)),
        (10, ("glyph.seen",)),
        (20, ("glyph.seen",)),
    ]


def test_names_without_end_are_forgotten(sent: Sent) -> None:
    picturing = Picturing(Media(on=("*",)), sent, None)
    for n in range(200):
        picturing(item(n, grey(0), captured_ns=n), Result("k", (), ({"event": "x" * n},)))
    assert len(picturing._last) == step._MOST_NAMES
    assert max(len(head["events"][0]) for head, _ in sent.media) == 199


def test_only_events_of_chosen_labels_and_frames_that_are_pictures_get_any(sent: Sent) -> None:
    picturing = Picturing(Media(on=("*",), labels=("b",)), sent, None)
    other = {"event": "glyph.seen", "label": "b"}
    window = np.zeros((16, 3), np.float32)
    for event, pixels in ((SEEN, grey(1)), (other, window), (other, None)):
        result = Result("detection", (), (event,))
        assert picturing(item(1, pixels), result) is result
    assert sent.media == []
    picturing(item(1, grey(1)), Result("detection", (), (other,)))
    assert len(sent.media) == 1


def test_a_drawn_snapshot_shows_the_result(sent: Sent) -> None:
    found = {"label": "a", "index": 0, "score": 0.9, "box": [0.2, 0.2, 0.8, 0.8]}
    for draw in (False, True):
        picturing = Picturing(Media(on=("*",), draw=draw), sent, None)
        picturing(item(1, grey(128, 240, 320)), Result("detection", (found,), (SEEN,)))
    plain, drawn = (
        cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) for _, content in sent.media
    )
    assert plain is not None
    assert drawn is not None
    assert (int(np.ptp(plain)), plain.shape) == (0, drawn.shape)
    assert int(np.ptp(drawn)) > 64


def test_the_largest_picture_that_can_be_configured_fits_a_medium() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2560, 2560, 3), np.uint8)
    assert len(as_jpeg(noise, 95)) < MAX_MEDIUM
