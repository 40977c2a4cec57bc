"""The connections between a capture process and its readers: gone, stopped, abused, and none left behind."""

from __future__ import annotations

import os
import threading
import time
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from agent.errors import SourceEnded, SourceLost
from tests.simulators.capture_desk import Desk
from tests.simulators.scripted_source import ScriptedSource

if TYPE_CHECKING:
    from agent.types import Frame, Source


def read(source: Source) -> Frame:
    frame = source.read(5)
    assert frame is not None
    return frame


class Paced(ScriptedSource):
    """A camera that gives a frame every few milliseconds."""

    def __init__(self, start: int) -> None:
        super().__init__(repeat(7), start=start, live=True)

    def read(self, timeout_s: float) -> Frame | None:
        time.sleep(0.002)
        return super().read(timeout_s)


def test_a_process_that_is_gone_is_a_lost_source_and_the_next_connection_goes_on() -> None:
    with Desk(Paced, "a") as desk, Desk(Paced, "a") as other:
        reader = desk.reader("a")
        source = reader.remote.open(0)
        seq = read(source).seq
        assert reader.remote._channel is not None
        reader.remote._channel.hang_up()
        with pytest.raises(SourceLost, match="read source yard: its capture process is gone"):
            read(source)
        with pytest.raises(SourceLost, match="its capture process is gone"):
            source.read(1)
        reader._desk = other
        frame = read(reader.connect().remote.open(seq + 1))
        assert frame.seq == seq + 1 + frame.missed


def test_a_reader_that_waits_for_a_connection_can_be_stopped() -> None:
    with Desk(Paced, "a") as desk:
        reader = desk.reader("a", connected=False)
        threading.Timer(0.1, reader.stop.set).start()
        with pytest.raises(SourceEnded):
            reader.remote.open(0)


@pytest.mark.parametrize("packet", [b"", b"{}", b"\x02\x02", b"\x01", bytes(16)])
def test_whoever_breaks_the_protocol_loses_its_connection_only(packet: bytes) -> None:
    with Desk(Paced, "a", "b") as desk:
        good, bad = desk.reader("a"), desk.reader("b")
        source = good.remote.open(0)
        bad.remote.open(0)
        if packet:
            bad.remote.send(packet)
        else:
            bad.close()
        assert read(source).seq <= read(source).seq
        if packet:
            with pytest.raises(SourceLost):
                bad.remote.receive(5)


def test_no_descriptor_is_left_after_many_readers() -> None:
    with Desk(Paced, "a") as desk:
        source = desk.reader("a").remote.open(0)
        for _ in range(20):
            read(source)  # until each slot has its memory
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(200):
            reader = desk.reader("a")
            read(reader.remote.open(0))
            reader.close()
        deadline = time.monotonic() + 5
        while len(os.listdir("/proc/self/fd")) > before + 2 and time.monotonic() < deadline:  # noqa: PTH208
            time.sleep(0.01)
        assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
