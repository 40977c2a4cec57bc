"""Clips of events, as a worker makes them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.media import Media
from agent.errors import SourceEnded
from agent.media import flaw
from agent.pipeline.media import avi, film
from agent.pipeline.media.film import Film
from agent.pipeline.media.picture import as_jpeg
from agent.pipeline.media.ring import Ring, Shot
from agent.sources import video
from agent.types import Frame, FrameInfo
from tests.simulators.media_sent import S, Sent, grey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from agent.types import Array


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


def test_a_clip_is_a_recording_that_the_video_source_reads(sent: Sent, tmp_path: Path) -> None:
    film = made(sent, before_s=2, after_s=0)
    show(film, range(10))
    film.clip(("a",), FrameInfo(9, 9 * S // 5, 48, 64))
    film.finish()
    (tmp_path / "clip.avi").write_bytes(sent.media[0][1])
    source = video.build(video.Options(path=str(tmp_path / "clip.avi")), start=0)
    with closing(source):
        found = [frame.data[0, 0, 0] for _ in range(10) if (frame := source.read(1.0)) is not None]
        with pytest.raises(SourceEnded):
            source.read(1.0)
    assert found == list(range(10))


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
