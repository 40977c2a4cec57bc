"""The connections between a capture process and its readers: gone, stopped, abused, and none left behind."""

from __future__ import annotations

import os
import threading
import time
from itertools import repeat
from socket import AF_UNIX, SOCK_SEQPACKET, send_fds, socketpair
from typing import TYPE_CHECKING

import pytest

from agent.capture import protocol
from agent.capture.client import Remote
from agent.capture.feed import Feed
from agent.errors import SourceEnded, SourceLost
from agent.processes import memfd
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


def test_a_process_that_dies_again_and_again_before_the_source_is_open_is_told_once() -> None:
    def never(_start: int) -> Source:
        raise SourceLost("open camera", "yard", "there is none", "Plug it in")

    with Desk(never, "a") as desk:
        reader = desk.reader("a", connected=False)
        for told in (True, False, False):
            ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
            reader.feed.lend(ours.detach())
            theirs.close()
            if told:
                with pytest.raises(SourceLost):
                    reader.remote.open(0)
                continue
            timer = threading.Timer(0.3, reader.stop.set)
            timer.start()
            with pytest.raises(SourceEnded):
                reader.remote.open(0)
            timer.join()
            reader.stop.clear()


def test_a_reader_that_comes_back_after_the_end_is_told_what_it_has_missed() -> None:
    with Desk(lambda start: ScriptedSource(range(start, 6), start=start), "a") as desk:
        source = desk.reader("a").remote.open(0)
        for _ in range(6):
            read(source)
        with pytest.raises(SourceEnded) as ended:
            source.read(5)
        assert ended.value.missed == 0
        again, told = desk.reader("a").remote.open(2), [0]

        def read_on() -> None:
            while True:  # those that it had not yet given back when the end came are there still
                told.append(read(again).missed + 1)

        with pytest.raises(SourceEnded, match="the script is over") as caught:
            read_on()
        assert sum(told) + caught.value.missed == 4


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


@pytest.mark.parametrize(
    ("size", "seals", "problem"),
    [
        (0, memfd.SIZED, "it is empty"),
        (4096, 0, "not sealed"),
        (4096, memfd.SIZED, "more than its 4096 bytes"),
    ],
)
def test_memory_that_is_not_what_it_should_be_is_a_lost_source(size: int, seals: int, problem: str) -> None:
    feed = Feed()
    remote = Remote("yard", feed, lambda _phase: None, threading.Event())
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    feed.lend(ours.detach())
    fd = memfd.create("frame", size)
    memfd.seal(fd, seals)
    with theirs:
        theirs.send(protocol.packed(protocol.Opened(token=1, live=True)))
        source = remote.open(0)
        send_fds(theirs, [protocol.shown(0, 1, "uint8", (5000,))], [fd])
        os.close(fd)
        with pytest.raises(SourceLost, match=problem):
            source.read(5)
    remote.close()


def test_no_frame_is_from_a_time_to_come_whatever_the_process_says() -> None:
    feed = Feed()
    remote = Remote("yard", feed, lambda _phase: None, threading.Event())
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    feed.lend(ours.detach())
    fd = memfd.create("frame", 4096)
    memfd.seal(fd, memfd.SIZED)
    with theirs:
        theirs.send(protocol.packed(protocol.Opened(token=1, live=True)))
        source = remote.open(0)
        for captured_ns in (1, (1 << 63) - 1):
            send_fds(theirs, [protocol.shown(0, captured_ns, "uint8", (4096,))], [fd])
        assert read(source).captured_ns == 1
        assert read(source).captured_ns <= time.monotonic_ns()
    os.close(fd)
    remote.close()


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
        deadline = time.monotonic() + 30
        while len(os.listdir("/proc/self/fd")) > before + 2 and time.monotonic() < deadline:  # noqa: PTH208
            time.sleep(0.01)
        assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
