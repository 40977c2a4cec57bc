"""Video files as a source."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import pytest

from agent.errors import InputRejected, SourceEnded
from agent.sources.pictures.video_file import frame_rate
from agent.sources.video import Options, VideoSource, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.types import Array

COUNT = 40


def record(path: Path, codec: str = "MJPG", fps: float = 50, count: int = COUNT) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (64, 48))
    assert writer.isOpened()
    for number in range(count):
        writer.write(striped(number))
    writer.release()
    return path


def striped(number: int) -> Array:
    """Draw ``number`` as eight black or white stripes, which survive any codec."""
    bits = np.unpackbits(np.array([number], np.uint8)) * np.uint8(255)
    return np.ascontiguousarray(np.broadcast_to(np.repeat(bits, 8)[None, :, None], (48, 64, 3)))


def told(picture: Array) -> int:
    stripes = picture.reshape(48, 8, 8, 3).mean(axis=(0, 2, 3)) > 128
    return int(np.packbits(stripes)[0])


def source(path: Path | str, start: int = 0, *, loop: bool = False, realtime: bool = False) -> VideoSource:
    return build(Options(path=str(path), loop=loop, realtime=realtime), start=start)


def numbers(video: VideoSource, most: int = 1000) -> Iterator[tuple[int, int]]:
    """Give each frame's sequence number, and the number that its stripes tell."""
    for _ in range(most):
        try:
            frame = video.read(10)
        except SourceEnded:
            break
        assert frame is not None
        yield frame.seq, told(frame.data)
    video.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return record(tmp_path / "clip.avi")


@pytest.mark.parametrize(("name", "codec"), [("clip.avi", "MJPG"), ("clip.mp4", "mp4v")])
def test_every_frame_is_given_once_from_any_start(name: str, codec: str, tmp_path: Path) -> None:
    path = record(tmp_path / name, codec)
    for start in (0, 1, 13, COUNT - 1):
        assert list(numbers(source(path, start))) == [(n, n) for n in range(start, COUNT)]


@pytest.mark.parametrize("start", [0, 5, COUNT - 1, COUNT, COUNT + 7, 3 * COUNT, 100 * COUNT + 3])
def test_a_loop_goes_on_counting_and_resumes_where_it_was(start: int, tmp_path: Path) -> None:
    path = record(tmp_path / "clip.avi")
    found = list(numbers(source(path, start, loop=True), COUNT + 3))
    assert found == [(n, n % COUNT) for n in range(start, start + COUNT + 3)]


def test_a_long_way_to_the_start_is_made_in_slices(clip: Path) -> None:
    video = source(clip, 30)
    waits = 0
    while video.read(0) is None:
        waits += 1
    assert waits == 29  # frames passed over, one a read when there is no time
    video.close()


def test_all_frames_share_one_buffer_and_name_their_file(clip: Path) -> None:
    video = source(clip)
    frames = [frame for frame in (video.read(1) for _ in range(5)) if frame]
    assert len({frame.data.ctypes.data for frame in frames}) == 1
    assert {frame.origin for frame in frames} == {str(clip)}
    video.close()


def test_real_time_is_the_time_of_the_file(clip: Path) -> None:
    video = source(clip, realtime=True)
    assert video.live
    began = time.monotonic()
    assert [n for n, _ in numbers(video, 11)] == list(range(11))
    assert 0.19 < time.monotonic() - began < 5


def test_a_file_that_ends_early_says_so(clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    video = source(cut)
    count = len(list(numbers(video)))
    assert 0 < count < COUNT
    with pytest.raises(SourceEnded, match=f"ends early, {count} of {COUNT} frames"):
        video.read(0)


def test_a_whole_file_says_how_many_frames_it_had(clip: Path) -> None:
    video = source(clip)
    list(numbers(video))
    with pytest.raises(SourceEnded, match=rf"clip\.avi: {COUNT} frames"):
        video.read(0)


def test_a_file_that_vanishes_while_it_loops_ends_the_source(clip: Path) -> None:
    video = source(clip, loop=True)
    for _ in range(COUNT):
        video.read(1)
    clip.unlink()
    for _ in range(2):
        with pytest.raises(SourceEnded, match="no such file"):
            video.read(1)
    video.close()


def bad_files(folder: Path) -> dict[str, Path]:
    whole = record(folder / "whole.mp4", "mp4v").read_bytes()
    files = {
        name: folder / name for name in ("missing.mp4", "empty.mp4", "text.mp4", "headless.mp4", "pipe.mp4")
    }
    files["empty.mp4"].write_bytes(b"")
    files["text.mp4"].write_text("this is no video\n" * 100)
    files["headless.mp4"].write_bytes(whole[: len(whole) // 2])
    os.mkfifo(files["pipe.mp4"])
    files["a folder"] = folder
    return files


def test_what_is_no_video_is_refused_in_one_line_with_a_hint(tmp_path: Path) -> None:
    for name, path in bad_files(tmp_path).items():
        with pytest.raises(InputRejected) as caught:
            source(path)
        assert (caught.value.op, caught.value.subject) == ("open video", str(path)), name
        assert caught.value.hint, name
        assert "\n" not in str(caught.value), name


def test_a_pattern_of_picture_names_is_no_video(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(InputRejected):
        source(tmp_path / "%d.png")


def test_opencv_and_ffmpeg_write_nothing_to_stderr(clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    paths = [str(path) for path in (*bad_files(tmp_path).values(), cut)]
    code = """
import sys
from agent.errors import InputRejected, SourceEnded
from agent.sources.pictures.video_file import frame_rate
from agent.sources.video import Options, build
for path in sys.argv[1:]:
    try:
        video = build(Options(path=path), start=0)
        while True:
            video.read(1)
    except (InputRejected, SourceEnded) as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(paths)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), 90_000.0])
def test_a_file_without_a_frame_rate_cannot_be_paced_and_is_closed(rate: float) -> None:
    class Rateless:  # a subclass of VideoCapture would crash in the garbage collector
        released = False

        def get(self, _prop: int) -> float:
            return rate

        def release(self) -> None:
            self.released = True

    capture = Rateless()
    with pytest.raises(InputRejected, match="realtime = false"):
        frame_rate(cast("cv2.VideoCapture", capture), "clip.avi")
    assert capture.released
