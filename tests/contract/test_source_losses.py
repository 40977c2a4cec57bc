"""What every source promises when its device falls silent or is pulled out, and is opened again and again."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import plugins
from agent.errors import SourceLost
from agent.pipeline import capture
from agent.pipeline.slot import Slot
from tests.simulators.choosing import choose
from tests.simulators.examples import EXAMPLES
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ledger import Ledger
    from agent.types import Frame, Source
    from tests.simulators.examples import Plug


pluggable = pytest.mark.parametrize("name", choose(lambda one: one.plug), indirect=True)
"""What is asked of those that read a device."""


def read_for(source: Source, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        source.read(min(0.5, left))


def read(source: Source) -> Frame:
    frame = source.read(10)
    assert frame is not None
    return frame


@pluggable
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
            assert 0.9 * timeout_s <= time.monotonic() - began < timeout_s + 3  # a busy machine may be late


@pluggable
def test_what_is_unplugged_is_missed_in_5_s_and_back_in_3_s_after_it_is_plugged_in(
    name: str, plug: Plug
) -> None:
    module = plugins.load("sources", name)
    options = module.Options(**plug.options)
    with closing(module.build(options, start=5)) as source:
        assert read(source).seq == 5
        plug.out()
        with pytest.raises(SourceLost) as lost:
            read_for(source, 5)
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

    def refused(self, reason: str, problem: str) -> None:
        pass

    def captured(self, count: int) -> None:
        pass


def held() -> dict[str, int]:
    """Count this process's threads and descriptors."""
    return {what: len([*Path("/proc/self", what).iterdir()]) for what in ("task", "fd")}


def left_over(before: dict[str, int]) -> dict[str, int]:
    """Count those that are more than before; a server in this process closes its ends a little later."""
    give_up = time.monotonic() + 30
    while more := {what: count for what, count in held().items() if count > before[what]}:
        if time.monotonic() > give_up:
            break
        time.sleep(0.02)
    return more


def test_losing_and_opening_it_again_and_again_leaves_no_thread_and_no_descriptor(
    name: str, opened: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.reopening._FIRST_S", 0.0)
    stop = threading.Event()
    slot = Slot(engine(prepare=lambda frame, into, region=(0, 0, 1, 1): None))

    def lose(times: int) -> Ledger:
        stop.clear()
        told = Counting(stop, times)
        capture.Capture(
            open_source=lambda _: Fickle(opened()), slot=slot, reporter=told, beat=lambda _: None, stop=stop
        ).run()
        return slot.ledger()

    times = int(os.environ.get("EDGE_AGENT_TESTS_RECONNECTS", EXAMPLES[name].reopened))
    lose(1)  # what a library keeps for good
    before = held()
    ledger = lose(times)
    assert left_over(before) == {}
    assert (ledger.captured, ledger.balanced) == (1 + times, True)
