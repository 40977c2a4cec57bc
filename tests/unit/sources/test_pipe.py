"""Frames from a named pipe that a real writer fills, and misuses."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing, contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import InputRejected, SourceLost
from agent.sources.pictures.jpegs import MAX_JPEG, Jpegs
from agent.sources.pipe import Options, build
from tests.simulators.web_camera import jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.sources.pictures.flow import FlowSource
    from agent.types import Frame


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


@contextmanager
def written(path: str, *pieces: bytes, stay: bool = True) -> Iterator[None]:
    """Write the pieces, and hold the pipe open until this is left."""
    over = threading.Event()

    def write() -> None:
        with suppress(BrokenPipeError), Path(path).open("wb", buffering=0) as file:
            file.writelines(pieces)
            if stay:
                over.wait(20)

    thread = threading.Thread(target=write)
    thread.start()
    yield
    over.set()
    thread.join()


def opened(path: str, start: int = 0, **options: Any) -> FlowSource:
    return build(Options(**{"path": path, "silence_s": 0.5, **options}), start=start)


def read(source: FlowSource) -> Frame:
    frame = source.read(5)
    assert frame is not None
    return frame


def lost(source: FlowSource) -> str:
    with pytest.raises(SourceLost) as caught:
        read_on(source)
    assert caught.value.hint
    return str(caught.value)


def read_on(source: FlowSource) -> None:
    while True:
        source.read(0.2)


COLOUR = (200, 60, 30)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("BGR3", None),
        ("RGB3", cv2.COLOR_BGR2RGB),
        ("GREY", cv2.COLOR_BGR2GRAY),
        ("YU12", cv2.COLOR_BGR2YUV_I420),
        ("YUYV", cv2.COLOR_BGR2YUV_YUY2),
    ],
)
def test_raw_frames_of_each_format_come_out_in_bgr(fifo: str, name: str, code: int | None) -> None:
    image = np.full((48, 64, 3), COLOUR, np.uint8)
    raw = (image if code is None else cv2.cvtColor(image, code)).tobytes()
    with closing(opened(fifo, start=4, format=name, width=64, height=48)) as source, written(fifo, raw * 2):
        for seq in (4, 5):
            frame = read(source)
            assert frame.seq == seq
            wanted = image if name != "GREY" else cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 8)
            np.testing.assert_allclose(frame.data.astype(int), wanted, atol=3)


def test_the_planes_of_nv12_are_told_apart(fifo: str) -> None:
    image = np.full((48, 64, 3), COLOUR, np.uint8)
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma, blue, red = np.split(planes, [48 * 64, 48 * 64 * 5 // 4])
    raw = luma.tobytes() + np.stack([blue, red], axis=1).tobytes()
    with closing(opened(fifo, format="NV12", width=64, height=48)) as source, written(fifo, raw):
        np.testing.assert_allclose(read(source).data.astype(int), image, atol=3)


def test_jpegs_one_after_the_other_are_pictures_of_their_own_sizes(fifo: str) -> None:
    with closing(opened(fifo)) as source, written(fifo, jpeg(10) + jpeg(20, 160, 120)):
        assert [read(source).data.shape for _ in range(2)] == [(48, 64, 3), (120, 160, 3)]


def test_a_damaged_jpeg_is_refused_and_the_next_one_read(fifo: str) -> None:
    whole = bytearray(jpeg(10))
    at = whole.index(b"\xff\xdb")
    whole[at + 4] = 0xFF  # a quantization table that there is not
    with closing(opened(fifo)) as source, written(fifo, bytes(whole) + jpeg(100)):
        with pytest.raises(InputRejected, match="frame 0"):
            source.read(5)
        assert read(source).seq == 1


def test_what_comes_without_an_end_and_is_no_picture_does_not_hold_a_read(
    fifo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.sources.pictures.jpegs.MAX_JPEG", 1 << 60)
    source = opened(fifo)
    with written(fifo, *repeat(b"x" * 65536, 1 << 20)):
        assert source.read(0.1) is None
        with pytest.raises(SourceLost, match="no frame for"):
            read_on(source)
        source.close()


@pytest.mark.parametrize("piece", [b"\xff\xd8", b"\xff\xe0\0\5\xff\xd8\xff"])
def test_pictures_that_only_begin_one_within_the_other_are_given_up_early(piece: bytes) -> None:
    jpegs = Jpegs()
    jpegs.feed(b"\xff\xd8" + piece * (1 << 16) + bytes(8))
    with pytest.raises(ValueError, match="no JPEG"):
        jpegs.next()


def test_a_read_without_a_frame_keeps_its_time(fifo: str) -> None:
    with closing(opened(fifo, silence_s=60)) as source, written(fifo, jpeg(10)[:-50]):
        for timeout in (0.0, 0.2):
            began = time.monotonic()
            assert source.read(timeout) is None
            assert timeout - 0.01 < time.monotonic() - began < timeout + 5


def test_a_pipe_that_nobody_writes_into_is_lost_after_its_silence(fifo: str) -> None:
    with closing(opened(fifo)) as source:
        began = time.monotonic()
        assert "no frame for" in lost(source)
        assert 0.5 < time.monotonic() - began < 10


def test_a_writer_that_freezes_within_a_frame_is_lost_after_its_silence(fifo: str) -> None:
    with closing(opened(fifo, format="GREY", width=64, height=48)) as source, written(fifo, bytes(3000)):
        assert "no frame for" in lost(source)


def test_a_writer_that_ends_is_lost_at_once_after_its_last_frame(fifo: str) -> None:
    with closing(opened(fifo, silence_s=60)) as source, written(fifo, jpeg(10), stay=False):
        read(source)
        began = time.monotonic()
        assert "has ended" in lost(source)
        assert time.monotonic() - began < 10


def test_a_writer_that_comes_back_is_read_again(fifo: str) -> None:
    for level in (10, 100):
        with closing(opened(fifo)) as source, written(fifo, jpeg(level), stay=False):
            assert round(float(read(source).data.mean())) == level


@pytest.mark.parametrize(("make", "problem"), [(Path.touch, "no named pipe"), (str, "no such file")])
def test_what_is_no_pipe_is_told(tmp_path: Path, make: Any, problem: str) -> None:
    make(tmp_path / "it")
    with pytest.raises(SourceLost, match=problem) as caught:
        opened(str(tmp_path / "it"))
    assert "mkfifo" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_pipe_that_may_not_be_read_is_not_to_be_made(fifo: str) -> None:
    Path(fifo).chmod(0)
    with pytest.raises(SourceLost, match=r"permission denied\. Let the agent's user read it"):
        opened(fifo)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "GREY"},
        {"format": "MJPG", "width": 64, "height": 48},
        {"format": "YUYV", "width": 63, "height": 48},
        {"format": "NV12", "width": 64, "height": 47},
        {"format": "GREY", "width": 16384, "height": 16384},
    ],
)
def test_a_size_that_does_not_fit_the_format_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options(path="/x", **options)


PIECES = st.lists(st.integers(1, 200), min_size=1, max_size=20)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    jpegs, found, at = Jpegs(), [], 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        jpegs.feed(data[at : at + size])
        at += size
        while (one := jpegs.next()) is not None:
            found.append(one)
    return found


@given(
    st.lists(st.integers(0, 255), max_size=4), PIECES, st.binary(max_size=50).filter(lambda b: 0xFF not in b)
)
def test_pictures_come_out_as_they_went_in_however_they_are_cut(
    levels: list[int], cuts: list[int], noise: bytes
) -> None:
    pictures = [jpeg(level) for level in levels]
    assert cut(b"".join(noise + one for one in pictures), cuts) == pictures


@given(PIECES)
def test_a_preview_within_a_picture_does_not_end_it(cuts: list[int]) -> None:
    preview, picture = jpeg(10, 16, 16), jpeg(200)
    segment = b"\xff\xe1" + (len(preview) + 2).to_bytes(2) + preview
    whole = picture[:2] + segment + picture[2:]
    assert cut(whole + picture, cuts) == [whole, picture]


@given(st.binary(max_size=300), PIECES)
def test_garbage_before_a_picture_is_skipped_or_belongs_to_another(noise: bytes, cuts: list[int]) -> None:
    for one in cut(noise + jpeg(10), cuts):
        assert one.startswith(b"\xff\xd8\xff")
        assert one.endswith(b"\xff\xd9")


def test_what_never_comes_to_a_picture_is_given_up() -> None:
    for begin, problem in ((b"", "no JPEG"), (jpeg(10)[:-2], "more than 16 MiB")):
        jpegs = Jpegs()
        jpegs.feed(begin + bytes(MAX_JPEG))
        jpegs.feed(b"\x00" * 10)
        with pytest.raises(ValueError, match=problem):
            jpegs.next()
