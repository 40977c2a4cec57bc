"""A source read by one thread and shared with readers over real sockets and memory."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.errors import ConfigInvalid, InputRejected, SourceEnded, SourceLost
from tests.simulators.capture_desk import Desk
from tests.simulators.field import until
from tests.simulators.scripted_source import ScriptedSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Array, Frame, Source
    from tests.simulators.capture_desk import Reader


def gone() -> SourceLost:
    return SourceLost("open camera", "yard", "there is none", "Plug it in")


@pytest.fixture(autouse=True)
def _reopen_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.reopening._FIRST_S", 0.01)
    monkeypatch.setattr("agent.reopening._LONGEST_S", 0.02)


def read(source: Source) -> Frame:
    frame = source.read(20)
    assert frame is not None
    return frame


def rest(source: Source) -> list[tuple[int, float]]:
    """Give number and first element of each frame until the end."""
    found: list[tuple[int, float]] = []
    while True:
        try:
            frame = read(source)
        except SourceEnded:
            return found
        found.append((frame.seq, float(frame.data.flat[0])))


class Paced(ScriptedSource):
    """A camera that gives a frame every few milliseconds."""

    def __init__(self, start: int, shape: tuple[int, ...] = (4,)) -> None:
        super().__init__(repeat(7), start=start, live=True, shape=shape)

    def read(self, timeout_s: float) -> Frame | None:
        time.sleep(0.002)
        return super().read(timeout_s)


def test_a_recordings_readers_get_each_frame_whichever_is_slow() -> None:
    def build(start: int) -> Source:
        return ScriptedSource(range(start, 30), start=start)

    with Desk(build, "a", "b") as desk:
        found: dict[str, list[tuple[int, float]]] = {}

        def drain(reader: Reader, pause_s: float) -> None:
            source = reader.remote.open(0)
            assert not source.live
            time.sleep(pause_s)
            found[reader.name] = rest(source)

        threads = [
            threading.Thread(target=drain, args=(desk.reader(name), pause_s))
            for name, pause_s in (("a", 0), ("b", 0.2))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == {name: [(n, n) for n in range(30)] for name in "ab"}
        told = [{"type": "opened", "live": False}, {"type": "ended", "remark": "the script is over"}]
        until(lambda: len(desk.said) >= len(told), "the end of the script")
        assert desk.said == told


def test_a_camera_gives_the_newest_and_says_what_was_missed() -> None:
    with Desk(Paced, "a", "b") as desk:
        source = desk.reader("a").remote.open(5)
        assert source.live
        first = read(source)
        time.sleep(0.3)
        second = read(source)
        assert first.seq == 5 + first.missed
        assert second.missed > 5
        assert second.seq == first.seq + 1 + second.missed
        assert min(read(source).missed for _ in range(20)) <= 2  # who reads on misses little
        assert not second.data.flags.writeable


def test_a_frame_stays_as_it_is_until_the_next_is_read_though_sizes_change() -> None:
    class Growing(Paced):
        def read(self, timeout_s: float) -> Frame | None:
            frame = super().read(timeout_s)
            assert frame is not None
            side = 1 + (frame.seq * 37) % 200
            return replace(
                frame, data=np.full((side, side), frame.seq % 251, np.uint8), origin=f"é{frame.seq}"
            )

    with Desk(Growing, "a") as desk:
        source = desk.reader("a").remote.open(0)
        for _ in range(60):
            frame = read(source)
            time.sleep(0.004)
            number = int(frame.origin[1:])
            assert frame.data.shape == (1 + (number * 37) % 200,) * 2
            assert (frame.data == number % 251).all()


def test_a_frame_that_cannot_be_read_or_shared_is_each_readers_failed_frame() -> None:
    damaged = InputRejected("decode frame", "x.png", "its data is damaged", "Copy it again")
    huge = np.broadcast_to(np.uint8(0), (1 << 13, 1 << 14))

    class Huge(ScriptedSource):
        def read(self, timeout_s: float) -> Frame | None:
            frame = super().read(timeout_s)
            return replace(frame, data=huge) if frame is not None and frame.seq == 2 else frame

    with Desk(lambda start: Huge([1, damaged, 1, 1], start=start), "a") as desk:
        source = desk.reader("a").remote.open(0)
        assert read(source).seq == 0
        with pytest.raises(InputRejected, match=r"decode frame x.png: its data is damaged\. Copy it again"):
            source.read(5)
        with pytest.raises(InputRejected, match="at most 64 can be shared"):
            source.read(5)
        assert rest(source) == [(3, 1.0)]


def test_what_is_private_is_hidden_before_it_is_shared() -> None:
    def hide(frame: Frame) -> Frame:
        return replace(frame, data=np.zeros_like(frame.data))

    with Desk(lambda start: ScriptedSource([9, 9], start=start), "a", prepare=hide) as desk:
        assert rest(desk.reader("a").remote.open(0)) == [(0, 0.0), (1, 0.0)]


@pytest.mark.parametrize("private", [True, False])
def test_no_source_writes_into_shared_memory_what_is_to_be_hidden_first(private: bool) -> None:
    lent: list[bool] = []

    class Filling(ScriptedSource):
        def fill(self, buffer: Array | None) -> None:
            lent.append(buffer is not None)

    def hide(frame: Frame) -> Frame:
        return replace(frame, data=np.zeros_like(frame.data))

    prepare = hide if private else None
    with Desk(lambda start: Filling([9] * 9, start=start), "a", prepare=prepare) as desk:
        assert len(rest(desk.reader("a").remote.open(0))) == 9
    assert any(lent) is not private


def test_a_source_that_is_away_is_told_once_and_read_when_it_is_back() -> None:
    seen = threading.Event()

    def until_seen() -> Iterator[int | Exception]:
        yield 1
        seen.wait(5)
        yield gone()

    silent = ScriptedSource([gone()], live=True)
    tries: Iterator[SourceLost | ScriptedSource] = iter(
        [gone(), gone(), ScriptedSource(until_seen(), live=True), gone(), silent]
    )
    opened = []

    def build(start: int) -> Source:
        opened.append(start)
        match next(tries, None):
            case None:
                return ScriptedSource([5, 5], start=start, live=True)
            case SourceLost() as error:
                raise error
            case source:
                return source

    with Desk(build, "a") as desk:
        remote = desk.reader("a").remote
        with pytest.raises(SourceLost, match=r"open camera yard: there is none\. Plug it in"):
            remote.open(0)
        source = remote.open(0)
        frame = read(source)
        assert (frame.seq, frame.data[0]) == (0, 1)
        seen.set()
        with pytest.raises(SourceLost, match="there is none"):
            read(source)
        again = remote.open(frame.seq + 1)
        assert read(again).data[0] == 5
        assert opened == [0, 0, 0, 1, 1, 1]
        told = [one["type"] for one in desk.said if one["type"] != "ended"]
        assert told == ["lost", "lost", "opened", "lost", "lost", "lost", "opened"]


def test_what_can_never_be_opened_is_refused_with_the_path_of_the_key() -> None:
    def build(_start: int) -> Source:
        raise ConfigInvalid("read", "source.fps", "too fast", "Less", loc=("source", "fps"))

    with Desk(build, "a", "b") as desk:
        for name in ("a", "b"):
            with pytest.raises(ConfigInvalid, match="too fast") as caught:
                desk.reader(name).remote.open(0)
            assert caught.value.loc == ("source", "fps")


def test_a_timeout_is_honoured_and_what_was_asked_for_comes_later() -> None:
    script = iter([None] * 3 + [4])

    class Slow(ScriptedSource):
        def read(self, timeout_s: float) -> Frame | None:
            time.sleep(0.5)
            return super().read(timeout_s)

    with Desk(lambda start: Slow(script, start=start, live=True), "a") as desk:
        source = desk.reader("a").remote.open(0)
        began = time.monotonic()
        assert source.read(0.05) is None
        assert 0.04 < time.monotonic() - began < 1.4
        assert read(source).data[0] == 4


def test_a_readers_death_gives_its_slot_back_and_a_recording_waits_for_the_next() -> None:
    with Desk(lambda start: ScriptedSource(range(start, 40), start=start), "a", "b") as desk:
        one, two = desk.reader("a"), desk.reader("b")
        first = threading.Thread(target=lambda: read(one.remote.open(0)))
        first.start()
        source = two.remote.open(0)
        first.join(5)
        for _ in range(20):  # as far as there are slots
            if source.read(0.5) is None:
                break
        else:
            raise AssertionError("it did not wait")
        one.close()
        assert source.read(5) is not None, "the slot that the other one held"
        assert source.read(0.5) is None
        again = desk.reader("a").remote.open(1)
        assert read(again).seq == 1
        other = threading.Thread(target=lambda: rest(again))
        other.start()
        assert rest(source)[-1] == (39, 39.0)
        other.join(5)


def test_a_recording_does_not_wait_for_a_reader_that_is_not_wanted_any_more() -> None:
    with Desk(lambda start: ScriptedSource(range(start, 40), start=start), "a", "b") as desk:
        reader = desk.reader("a")
        desk.tell({"type": "readers", "pipelines": ["a"]})
        assert rest(reader.remote.open(0)) == [(n, n) for n in range(40)]


def test_readers_of_a_recording_that_begin_at_different_frames_each_get_theirs() -> None:
    with Desk(lambda start: ScriptedSource(range(start, 9), start=start), "a", "b") as desk:
        late = desk.reader("a")
        found: list[list[tuple[int, float]]] = []
        thread = threading.Thread(target=lambda: found.append(rest(late.remote.open(6))))
        thread.start()
        time.sleep(0.05)
        assert rest(desk.reader("b").remote.open(2)) == [(n, n) for n in range(2, 9)]
        thread.join(5)
        assert found == [[(6, 6.0), (7, 7.0), (8, 8.0)]]
