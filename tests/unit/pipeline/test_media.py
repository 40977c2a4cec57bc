"""Snapshots and clips, as a worker makes them."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media import MAX_MEDIUM, Media, flaw
from agent.pipeline.media import avi, film, step
from agent.pipeline.media.film import Film
from agent.pipeline.media.picture import as_jpeg, fitted, is_picture
from agent.pipeline.media.ring import Ring, Shot
from agent.pipeline.media.step import Picturing
from agent.pipeline.slot import Item
from agent.types import Frame, FrameInfo, Result
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from agent.types import Array

S = 1_000_000_000
SEEN = {"event": "glyph.seen", "label": "a"}


def grey(level: int, height: int = 48, width: int = 64) -> Array:
    return np.full((height, width, 3), level, np.uint8)


class Sent:
    """Takes what is sent; ``held`` keeps whoever sends waiting."""

    def __init__(self) -> None:
        self.media: list[tuple[Mapping[str, Any], bytes]] = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()

    def __call__(self, head: Mapping[str, Any], size: int, pieces: Iterable[bytes]) -> None:
        self.begun.set()
        assert self.free.wait(20)
        content = b"".join(pieces)
        assert len(content) == size
        self.media.append((head, content))


@pytest.fixture
def sent() -> Sent:
    return Sent()


def made(sent: Sent, **table: Any) -> Film:
    return Film(Media(on=("*",), clip=True, **table), sent)


def show(film: Film, levels: Iterable[int], every_ns: int = S // 5, **size: int) -> None:
    """Show grey frames; frame n was captured at n times ``every_ns``."""
    for n in levels:
        film(Frame(n, n * every_ns, grey(n, **size)))


def levels(content: bytes, folder: Path) -> list[int]:
    """The grey level of each frame of a clip, as OpenCV reads it."""
    assert flaw("clip", content) == ""
    path = folder / "clip.avi"
    path.write_bytes(content)
    return [int(frame[0, 0, 0]) for frame in frames(path)]


def frames(path: Path) -> Iterator[Array]:
    video = cv2.VideoCapture(str(path))
    while (read := video.read())[0]:
        yield read[1]
    video.release()


def item(n: int, pixels: Array | None = None, captured_ns: int | None = None) -> Item:
    at = n * S // 5 if captured_ns is None else captured_ns
    return Item(0, FrameInfo(n, at, 48, 64), engine(), pixels=pixels)


@given(st.lists(st.binary(min_size=1, max_size=99), min_size=1, max_size=20))
def test_a_file_has_the_size_that_was_said_and_its_index_leads_to_each_frame(pictures: list[bytes]) -> None:
    content = b"".join(avi.pieces(pictures, 8, 8, 100_000))
    assert len(content) == avi.size(pictures) <= avi.most(len(pictures), sum(map(len, pictures)))
    assert flaw("clip", content) == ""
    begin, index = content.index(b"movi"), content.rindex(b"idx1") + 8
    assert index == len(content) - 16 * len(pictures)
    for n, picture in enumerate(pictures):
        line = content[index + 16 * n :][:16]
        at, length = int.from_bytes(line[8:12], "little"), int.from_bytes(line[12:16], "little")
        assert content[begin + at :][: 8 + length] == b"00dc" + length.to_bytes(4, "little") + picture


def test_opencv_reads_a_clip_frame_by_frame_at_its_rate(tmp_path: Path) -> None:
    pictures = [as_jpeg(grey(10 * n, 49, 63), 90) for n in range(9)]
    path = tmp_path / "clip.avi"
    path.write_bytes(b"".join(avi.pieces(pictures, 63, 49, 125_000)))
    video = cv2.VideoCapture(str(path))
    assert (video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)) == (8, 9)
    video.release()
    assert [frame.shape for frame in frames(path)] == [(49, 63, 3)] * 9
    assert [int(frame[0, 0, 0]) for frame in frames(path)] == [10 * n for n in range(9)]


@given(st.lists(st.tuples(st.integers(0, 3 * S), st.integers(1, 400), st.booleans()), max_size=60))
def test_a_ring_holds_frames_of_one_size_within_its_bounds_and_always_the_newest(
    steps: list[tuple[int, int, bool]],
) -> None:
    ring, now = Ring(4.0, 1000, 8), 0
    for wait_ns, length, large in steps:
        now += wait_ns
        ring.add(shot := Shot(now, (2, 2) if large else (1, 1), bytes(length)))
        kept = ring.since(0)
        assert kept[-1] is shot
        assert sum(len(one.jpeg) for one in kept) == ring.bytes <= 1000
        assert len(kept) <= 8
        assert all(one.size == shot.size and now - one.captured_ns <= 4 * S for one in kept)


def test_a_clip_begins_before_its_event_and_ends_after_it(sent: Sent, tmp_path: Path) -> None:
    film = made(sent, before_s=1, after_s=2)
    show(film, range(20))
    name = film.clip(("glyph.seen",), FrameInfo(18, 18 * S // 5, 48, 64))  # two frames late
    show(film, range(20, 40))
    film.finish()
    [(head, content)] = sent.media
    assert head == {
        "type": "medium",
        "kind": "clip",
        "events": ("glyph.seen",),
        "frame": 18,
        "captured_ns": 18 * S // 5,
        "clip": name,
    }
    assert levels(content, tmp_path) == list(range(13, 29))


def test_events_during_a_clip_share_it_and_none_begins_while_one_waits_to_be_sent(sent: Sent) -> None:
    film = made(sent, before_s=1, after_s=1)
    assert film.clip(("a",), FrameInfo(0, 0, 48, 64)) is None  # there is no frame yet
    show(film, range(10))
    sent.free.clear()
    first = film.clip(("a",), FrameInfo(9, 9 * S // 5, 48, 64))
    assert film.clip(("b",), FrameInfo(9, 9 * S // 5, 48, 64)) == first is not None
    show(film, range(10, 30))
    assert sent.begun.wait(20)  # the first is over, and being sent
    second = film.clip(("a",), FrameInfo(29, 29 * S // 5, 48, 64))
    show(film, range(30, 50))  # the second is over, and waits
    assert film.clip(("a",), FrameInfo(49, 49 * S // 5, 48, 64)) is None
    sent.free.set()
    film.finish()
    assert [head["clip"] for head, _ in sent.media] == [first, second]


def test_what_is_left_at_the_end_is_sent(sent: Sent, tmp_path: Path) -> None:
    film = made(sent, before_s=1, after_s=30)
    show(film, range(10))
    film.clip(("a",), FrameInfo(9, 9 * S // 5, 48, 64))
    film.finish()
    assert levels(sent.media[0][1], tmp_path) == [4, 5, 6, 7, 8, 9]


def test_a_clip_has_a_bound_of_bytes_and_ends_early_rather_than_lose_its_event(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = len(as_jpeg(grey(0), 80))
    monkeypatch.setattr(film, "MAX_MEDIUM", avi.most(8, 8 * one) + one // 2)
    monkeypatch.setattr(film, "_BEFORE_BYTES", 4 * one + one // 2)
    made_film = made(sent, before_s=5, after_s=5)
    show(made_film, range(20))
    made_film.clip(("a",), FrameInfo(19, 19 * S // 5, 48, 64))
    show(made_film, range(20, 40))
    made_film.finish()
    assert levels(sent.media[0][1], tmp_path) == list(range(16, 24))


def test_a_frame_of_another_size_ends_a_clip(sent: Sent, tmp_path: Path) -> None:
    film = made(sent, before_s=1, after_s=5)
    show(film, range(10))
    film.clip(("a",), FrameInfo(9, 9 * S // 5, 48, 64))
    show(film, range(10, 12))
    show(film, range(12, 14), height=24)
    film.finish()
    assert levels(sent.media[0][1], tmp_path) == list(range(4, 12))


def test_a_clip_has_no_more_frames_a_second_than_it_may(sent: Sent, tmp_path: Path) -> None:
    film = made(sent, before_s=2, after_s=0, fps=10)
    show(film, range(200), S // 50)
    film(Frame(200, 4 * S, np.zeros((16, 4), np.float32)))  # no picture
    film.clip(("a",), FrameInfo(199, 199 * S // 50, 48, 64))
    film.finish()
    assert levels(sent.media[0][1], tmp_path) == list(range(100, 200, 5))


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
