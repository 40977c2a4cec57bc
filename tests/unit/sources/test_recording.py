"""A recording as a source: its pace, its damage, and how it ends."""

from __future__ import annotations

import io
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.errors import InputRejected, SourceEnded
from agent.recordings.documents import FrameNote
from agent.recordings.writing import Writer
from agent.sources.recording import Options, build
from tests.simulators.examples.recorded import HEAD, recording

if TYPE_CHECKING:
    from agent.types import Array


def npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def written(folder: Path, *frames: tuple[FrameNote, bytes]) -> str:
    path = folder / "own.tar"
    with path.open("wb", buffering=0) as file:
        writer = Writer(file, 1 << 20)
        writer.begin(HEAD)
        for note, data in frames:
            writer.frame(note, data)
        writer.end()
    return str(path)


def note(seq: int, **more: object) -> FrameNote:
    return FrameNote.model_validate({"seq": seq, "captured_ns": seq, **more})


def test_an_array_comes_back_as_it_was_also_where_it_looks_like_a_picture(tmp_path: Path) -> None:
    arrays: list[Array] = [
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        np.array([1, -2, 3], np.int16),
    ]
    path = written(tmp_path, *((note(n, suffix=".npy"), npy(array)) for n, array in enumerate(arrays)))
    with closing(build(Options(path=path), start=0)) as source:
        for array in arrays:
            frame = source.read(0)
            assert frame is not None
            np.testing.assert_array_equal(frame.data, array, strict=True)


def test_a_frame_that_failed_fails_again_for_the_same_reason_and_uses_its_number(tmp_path: Path) -> None:
    frames = [
        (note(0, problem="decode frame: it is damaged"), b""),
        (note(1, suffix=".npy", origin="a"), npy(np.ones(2))),
    ]
    with closing(build(Options(path=written(tmp_path, *frames)), start=0)) as source:
        with pytest.raises(InputRejected, match="decode frame: it is damaged"):
            source.read(0)
        frame = source.read(0)
    assert frame is not None
    assert (frame.seq, frame.origin) == (1, "a")


def test_a_picture_whose_file_is_none_fails_alone(tmp_path: Path) -> None:
    frames = [(note(0, suffix=".png"), b"no picture"), (note(1, suffix=".npy"), b"nor array")]
    with closing(build(Options(path=written(tmp_path, *frames)), start=0)) as source:
        for number in range(2):
            with pytest.raises(InputRejected, match=f"frame {number}"):
                source.read(0)
        with pytest.raises(SourceEnded, match="2 frames"):
            source.read(0)


def test_a_recording_that_was_cut_short_says_so_at_its_end(tmp_path: Path) -> None:
    path = recording(tmp_path, 3, ends=False)
    with closing(build(Options(path=path), start=2)) as source:
        assert source.read(5) is not None
        with pytest.raises(SourceEnded, match="3 frames, it is cut short"):
            source.read(0)


def test_what_is_damaged_beyond_a_frame_is_told_once_and_ends_it(tmp_path: Path) -> None:
    path = Path(recording(tmp_path, 3))
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"frames/0000001.json") + 148] ^= 1  # the header's checksum
    path.write_bytes(whole)
    with closing(build(Options(path=str(path)), start=0)) as source:
        assert source.read(0) is not None
        with pytest.raises(InputRejected, match="is no header of a tar archive"):
            source.read(0)
        for _ in range(2):
            with pytest.raises(SourceEnded, match="1 frames, byte"):
                source.read(0)


def test_its_pace_is_that_of_the_recording_and_a_frame_that_is_not_due_is_waited_for(tmp_path: Path) -> None:
    path = recording(tmp_path, 3, pause_ns=150_000_000)
    with closing(build(Options(path=path, realtime=True), start=0)) as source:
        assert source.live is True
        began = time.monotonic()
        frames: list[int] = []
        while len(frames) < 3:
            frame = source.read(0.02)
            if frame is not None:
                frames.append(frame.seq)
    assert frames == [0, 1, 2]
    assert time.monotonic() - began > 0.29


def test_a_clock_that_went_back_or_far_ahead_holds_nothing_up(tmp_path: Path) -> None:
    frames = [
        (FrameNote(seq=n, captured_ns=at, suffix=".npy"), npy(np.ones(1)))
        for n, at in enumerate((9_000_000_000, 5, 6))
    ]
    path = written(tmp_path, *frames)
    with closing(build(Options(path=path, realtime=True), start=0)) as source:
        assert [one.seq for one in (source.read(5), source.read(5), source.read(5)) if one] == [0, 1, 2]


@pytest.mark.parametrize("content", [None, b"", b"no recording"])
def test_what_is_no_recording_is_refused_in_one_line_with_a_hint(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "r.tar"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputRejected) as caught:
        build(Options(path=str(path)), start=0)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
