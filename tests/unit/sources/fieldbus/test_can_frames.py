"""Frames of a CAN bus as the kernel gives them: through sockets that are real, and of another family."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SourceLost
from agent.sources.fieldbus.bus import Bus
from agent.sources.fieldbus.signals import Message, Signals
from agent.sources.fieldbus.socketcan import Reader, interfaces
from agent.sources.fieldbus.tables import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_interfaces_are_found_by_their_type(tmp_path: Path) -> None:
    for name, kind in (("can0", "280"), ("eth0", "1"), ("vcan1", "280")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
    assert interfaces(tmp_path) == ["can0", "vcan1"]


@contextmanager
def kernel() -> Iterator[tuple[socket.socket, Reader]]:
    """A socket that gives one frame at a time, as the kernel's do, and the reader of its other end."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs, ours:
        yield theirs, Reader(ours, "can0")


def framed(number: int, data: bytes, size: int = 8) -> bytes:
    return struct.pack("=IB3x", number, len(data)) + data.ljust(size, b"\0")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 0x7FF), st.just(False), st.binary(max_size=8)),
            st.tuples(st.integers(0, 0x1FFFFFFF), st.just(True), st.binary(max_size=64)),
        ),
        max_size=20,
    )
)
def test_frames_of_the_kernel_are_messages_short_and_long(sent: list[tuple[int, bool, bytes]]) -> None:
    with kernel() as (theirs, reader):
        for number, extended, data in sent:
            flags = socket.CAN_EFF_FLAG if extended else 0
            theirs.send(framed(number | flags, data, 8 if len(data) <= 8 else 64))
        found = reader.receive(0)
    assert [(*one.id, one.data) for one in found if isinstance(one, Message)] == sent


def test_who_asks_for_a_message_sends_none_and_half_a_frame_is_told() -> None:
    with kernel() as (theirs, reader):
        theirs.send(framed(0x123 | socket.CAN_RTR_FLAG, b""))
        assert reader.receive(0) == []
        theirs.send(b"\0" * 9)
        assert reader.receive(0) == ["the kernel gives a frame of 9 bytes"]
        assert reader.receive(0.01) == []


def test_a_controller_that_leaves_the_bus_is_a_loss_and_one_that_overflows_a_gap() -> None:
    with kernel() as (theirs, reader):
        theirs.send(framed(socket.CAN_ERR_FLAG | 0x04, b"\0\x04" + bytes(6)))  # a warning
        theirs.send(framed(socket.CAN_ERR_FLAG | 0x04, b"\0\x01" + bytes(6)))
        assert reader.receive(0) == ["the controller had no room for a message"]
        theirs.send(framed(socket.CAN_ERR_FLAG | 0x40, bytes(8)))
        with pytest.raises(SourceLost, match=r"its controller has left the bus. .*restart-ms 100"):
            reader.receive(0)


def test_messages_that_the_kernel_had_no_room_for_are_counted() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        ours.bind(("127.0.0.1", 0))
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ours.setsockopt(socket.SOL_SOCKET, 40, 1)  # SO_RXQ_OVFL
        theirs.connect(ours.getsockname())
        reader = Reader(ours, "can0")
        for _ in range(500):
            theirs.send(framed(1, b""))
        held = len(reader.receive(1))
        theirs.send(framed(1, b""))
        told, last = reader.receive(1)
        assert told == f"{500 - held} messages came faster than they were read"
        assert isinstance(last, Message)
        theirs.send(framed(1, b""))
        assert len(reader.receive(1)) == 1


def test_samples_before_and_after_trouble_stay_in_order_and_times_rise() -> None:
    with kernel() as (theirs, reader), theirs:
        rpm = Signal(name="rpm", id=0x123, start=0, length=16, scale=0.25)
        feed = Bus(_Link(reader), Signals([rpm], 60, time.monotonic_ns()))
        for data in (b"\x04\0", b"\x08\0", b"\x08", b"\x0c\0"):
            theirs.send(framed(0x123, data))
        first, told, last = feed.take(1)
        assert isinstance(first, tuple)
        assert isinstance(last, tuple)
        assert (first[1].tolist(), last[1].tolist()) == ([[1], [2]], [[3]])
        assert told == "message 0x123 has 1 bytes, and its signals need 2"
        times = [*first[0], *last[0]]
        assert times == sorted({*times})


class _Link:
    """A reader with the name that a link has."""

    name = "can0"

    def __init__(self, reader: Reader) -> None:
        self.receive = reader.receive

    def close(self) -> None:
        """Nothing is held."""
