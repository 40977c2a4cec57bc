"""What every source promises; how it is lost is in ``test_source_losses.py``.

A new module in ``agent/sources`` is found by itself; it needs an example in
``a module of tests/simulators/examples``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import ValidationError

from agent import plugins
from agent.errors import SourceEnded
from tests.simulators.choosing import choose
from tests.simulators.examples import EXAMPLES, FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.types import Array, Frame, Source


def read(source: Source) -> Frame:
    frame = source.read(10)
    assert frame is not None
    return frame


recordings = pytest.mark.parametrize("name", choose(lambda one: not one.endless), indirect=True)
"""What is asked of those that come to an end."""


def drain(source: Source) -> list[tuple[int, Array]]:
    frames: list[tuple[int, Array]] = []
    while True:
        try:
            frame = read(source)
        except SourceEnded:
            return frames
        frames.append((frame.seq, frame.data.copy()))


def test_options_can_be_read_without_numpy_or_opencv(name: str) -> None:
    code = f"""
import sys
from agent import plugins
plugins.load("sources", {name!r}).Options.model_json_schema()
print({{"numpy", "cv2"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_options_are_frozen_and_refuse_unknown_keys(name: str, tmp_path: Path) -> None:
    module = plugins.load("sources", name)
    given = EXAMPLES[name].options(tmp_path)
    with pytest.raises(ValidationError, match="extra_forbidden"):
        module.Options(**given, colour="red")
    with pytest.raises(ValidationError, match="frozen_instance"):
        setattr(module.Options(**given), next(iter(given)), None)


def test_every_option_is_explained(name: str) -> None:
    schema = plugins.load("sources", name).Options.model_json_schema()
    assert [key for key, value in schema["properties"].items() if not value.get("description")] == []


def test_frames_are_numbered_from_the_start_and_keep_time(opened: Callable[..., Source]) -> None:
    before = time.monotonic_ns()
    source = opened(start=3)
    frames = [read(source) for _ in range(FRAMES - 3)]
    assert [frame.seq for frame in frames] == list(range(3, FRAMES))
    stamps = [before, *(frame.captured_ns for frame in frames), time.monotonic_ns()]
    assert stamps == sorted(stamps)


def test_pictures_are_bgr_bytes_and_windows_are_finite_samples_by_channels(
    name: str, opened: Callable[..., Source]
) -> None:
    source = opened()
    for _ in range(FRAMES):
        data = read(source).data
        assert data.flags.c_contiguous
        if EXAMPLES[name].gives == "pictures":
            assert (data.dtype.name, data.ndim, data.shape[2]) == ("uint8", 3, 3)
        else:
            assert (data.dtype.name, data.ndim) == ("float32", 2)
            assert np.isfinite(data).all()
            assert data.size


@recordings
def test_what_starts_in_the_middle_gives_the_same_data(opened: Callable[..., Source]) -> None:
    whole = drain(opened())
    assert len(whole) == FRAMES
    for start in (1, FRAMES // 2, FRAMES - 1):
        rest = drain(opened(start=start))
        assert [seq for seq, _ in rest] == list(range(start, FRAMES))
        for (_, mine), (_, theirs) in zip(rest, whole[start:], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@recordings
@pytest.mark.parametrize("start", [0, FRAMES, FRAMES + 5])
def test_a_source_that_has_ended_stays_ended_and_says_how(opened: Callable[..., Source], start: int) -> None:
    source = opened(start=start)
    drain(source)
    for _ in range(3):
        with pytest.raises(SourceEnded, match=r"\d|end"):
            source.read(0)


@recordings
def test_a_recording_waits_and_is_there_at_once(opened: Callable[..., Source]) -> None:
    source = opened()
    assert source.live is False
    assert [read(source).seq for _ in range(2)] == [0, 1]
    frame = source.read(0)
    assert frame is not None
    assert frame.seq == 2


@pytest.mark.parametrize("name", choose(lambda one: one.live), indirect=True)
def test_a_live_source_gives_nothing_before_its_time(opened: Callable[..., Source]) -> None:
    before = time.monotonic()
    source = opened(at_its_pace=True)
    assert source.live is True
    frames, waits = [read(source).seq], []
    while len(frames) < 3:
        began = time.monotonic()
        frame = source.read(0.01)
        if frame is None:
            waits.append(time.monotonic() - began)
        else:
            frames.append(frame.seq)
    assert frames == [0, 1, 2]
    assert time.monotonic() - before > 0.45
    assert 0.009 < min(waits) < 0.2  # a busy machine may be late now and then


def test_closing_twice_is_fine_before_and_after_reading(opened: Callable[..., Source]) -> None:
    for is_read in (False, True):
        source = opened()
        if is_read:
            read(source)
        source.close()
        source.close()
