"""What every source promises.

A new module in ``agent/sources`` is found by itself; it needs an example in
``a module of tests/simulators/examples``.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from agent import plugins
from agent.errors import SourceEnded, SourceLost
from agent.pipeline import capture
from agent.pipeline.slot import Slot
from tests.simulators.examples import EXAMPLES, FRAMES, Plug, alongside
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.ledger import Ledger
    from agent.types import Array, Frame, Source

NAMES = plugins.names("sources")


SEEN = {"camera": [pytest.mark.cameras]}
"""What a source's tests need."""


@pytest.fixture(autouse=True, scope="module")
def _beside() -> Iterator[None]:
    with alongside():
        yield


@pytest.fixture(params=[pytest.param(name, marks=SEEN.get(name, [])) for name in NAMES])
def name(request: pytest.FixtureRequest) -> str:
    assert request.param in EXAMPLES, (
        f"add an example of {request.param!r} to a module of tests/simulators/examples"
    )
    return str(request.param)


@pytest.fixture
def opened(name: str, tmp_path: Path) -> Iterator[Callable[..., Source]]:
    """Opens the source by name with its example's options; closes what it opened."""
    sources: list[Source] = []
    options = EXAMPLES[name].options(tmp_path)

    def build(start: int = 0, *, at_its_pace: bool = False, **more: Any) -> Source:
        live = EXAMPLES[name].live
        if at_its_pace and live is not None:
            more |= live(options)
        module = plugins.load("sources", name)
        sources.append(module.build(module.Options(**{**options, **more}), start=start))
        return sources[-1]

    with EXAMPLES[name].beside(tmp_path) as more:
        options |= more
        yield build
        for source in sources:
            source.close()


@pytest.fixture
def plug(name: str, tmp_path: Path) -> Iterator[Plug]:
    """The device that it reads, which can be pulled out."""
    example = EXAMPLES[name]
    if example.plug is None:
        pytest.skip(f"{name} reads no device that can be pulled out")
    options = example.options(tmp_path)
    with example.plug(tmp_path) as plug:
        yield replace(plug, options={**options, **plug.options})


def read_until_lost(source: Source) -> None:
    while True:
        source.read(0.5)


def read(source: Source) -> Frame:
    frame = source.read(10)
    assert frame is not None
    return frame


@pytest.fixture
def recording(name: str) -> None:
    """What is asked of those that come to an end."""
    if EXAMPLES[name].endless:
        pytest.skip(f"{name} has no end and no second time")


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
    source = opened(start=3)
    before = time.monotonic_ns()
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


@pytest.mark.usefixtures("recording")
def test_what_starts_in_the_middle_gives_the_same_data(opened: Callable[..., Source]) -> None:
    whole = drain(opened())
    assert len(whole) == FRAMES
    for start in (1, FRAMES // 2, FRAMES - 1):
        rest = drain(opened(start=start))
        assert [seq for seq, _ in rest] == list(range(start, FRAMES))
        for (_, mine), (_, theirs) in zip(rest, whole[start:], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("start", [0, FRAMES, FRAMES + 5])
def test_a_source_that_has_ended_stays_ended_and_says_how(opened: Callable[..., Source], start: int) -> None:
    source = opened(start=start)
    drain(source)
    for _ in range(3):
        with pytest.raises(SourceEnded, match=r"\d|end"):
            source.read(0)


@pytest.mark.usefixtures("recording")
def test_a_recording_waits_and_is_there_at_once(opened: Callable[..., Source]) -> None:
    source = opened()
    assert source.live is False
    assert [read(source).seq for _ in range(2)] == [0, 1]
    frame = source.read(0)
    assert frame is not None
    assert frame.seq == 2


def test_a_live_source_gives_nothing_before_its_time(name: str, opened: Callable[..., Source]) -> None:
    if EXAMPLES[name].live is None:
        return  # this kind has no pace of its own
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


@pytest.mark.usefixtures("plug")
def test_what_gives_nothing_is_waited_for_as_long_as_asked(name: str, plug: Plug) -> None:
    if plug.hush is None:
        return  # it always says something
    module = plugins.load("sources", name)
    plug.hush()
    with closing(module.build(module.Options(**plug.options), start=0)) as source:
        while source.read(0.2) is not None:  # what had come before
            pass
        for timeout_s in (0, 0.05, 0.3):
            began = time.monotonic()
            assert source.read(timeout_s) is None
            assert 0.9 * timeout_s <= time.monotonic() - began < timeout_s + 0.3  # a busy machine may be late


def test_what_is_unplugged_is_missed_in_5_s_and_back_in_3_s_after_it_is_plugged_in(
    name: str, plug: Plug
) -> None:
    module = plugins.load("sources", name)
    options = module.Options(**plug.options)
    with closing(module.build(options, start=5)) as source:
        assert read(source).seq == 5
        plug.out()
        began = time.monotonic()
        with pytest.raises(SourceLost) as lost:
            read_until_lost(source)
        assert time.monotonic() - began < 5
    assert lost.value.hint
    assert "\n" not in str(lost.value)
    plug.back()
    began = time.monotonic()
    with closing(module.build(options, start=9)) as source:
        assert read(source).seq == 9
    assert time.monotonic() - began < 3


class Fickle:
    """Implements ``Source``: one that is lost after its first frame. Nobody waits for its frames."""

    live = True

    def __init__(self, source: Source) -> None:
        self._source = source
        self.close = source.close
        self._given = False

    def read(self, timeout_s: float) -> Frame | None:
        if self._given:
            raise SourceLost("read", "it", "it went away", "Wait")
        frame = self._source.read(timeout_s)
        self._given = frame is not None
        return frame


class Counting:
    """Implements ``Reporter``: ends the capture after so many losses."""

    def __init__(self, stop: threading.Event, losses: int) -> None:
        self.stop, self.left = stop, losses

    def opened(self, *, live: bool) -> None:
        pass

    def lost(self, problem: str) -> None:
        assert problem.endswith("it went away. Wait")
        self.left -= 1
        if not self.left:
            self.stop.set()

    def captured(self, count: int) -> None:
        pass


def held() -> tuple[int, int]:
    """Count this process's threads and descriptors."""
    return len([*Path("/proc/self/task").iterdir()]), len([*Path("/proc/self/fd").iterdir()])


def test_losing_and_opening_it_again_200_times_leaves_no_thread_and_no_descriptor(
    opened: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.reopening._FIRST_S", 0.0)
    stop = threading.Event()
    slot = Slot(engine(prepare=lambda frame, into: None))

    def lose(times: int) -> Ledger:
        stop.clear()
        told = Counting(stop, times)
        capture.Capture(
            open_source=lambda _: Fickle(opened()), slot=slot, reporter=told, beat=lambda _: None, stop=stop
        ).run()
        return slot.ledger()

    lose(1)  # what a library keeps for good
    before = held()
    ledger = lose(200)
    assert held() <= before
    assert (ledger.captured, ledger.balanced) == (201, True)
