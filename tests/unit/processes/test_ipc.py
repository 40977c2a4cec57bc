from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.processes.ipc import MAX_DESCRIPTORS, MAX_PACKET, Channel, close_all

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The supervisor's end and the worker's."""
    ours, theirs = made()
    yield ours, theirs
    ours.close()
    theirs.close()


def made() -> Pair:
    ours, raw = Channel.pair()
    return ours, Channel.from_fd(raw.detach())


def send_for_ever(channel: Channel) -> None:
    while True:
        channel.send(bytes(MAX_PACKET))


def drain(channel: Channel) -> list[bytes]:
    """Give all packets up to the end of the channel."""
    packets = []
    while (packet := channel.receive()) != b"":
        assert packet is not None, "the end never came"
        packets.append(packet)
    return packets


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=20))
def test_packets_arrive_whole_and_in_order(packets: list[bytes]) -> None:
    ours, theirs = made()
    for packet in packets:
        theirs.send(packet)
    theirs.close()
    assert drain(ours) == packets
    ours.close()


def test_nothing_there_is_no_end(pair: Pair) -> None:
    assert pair[0].receive() is None


def test_the_largest_packet_fits_and_a_larger_one_is_the_callers_bug(pair: Pair) -> None:
    pair[1].send(bytes(MAX_PACKET))
    assert pair[0].receive() == bytes(MAX_PACKET)
    with pytest.raises(ValueError, match="packet of 65537 bytes"):
        pair[1].send(bytes(MAX_PACKET + 1))
    assert pair[0].receive() is None


def test_what_a_peer_sends_beyond_the_limit_does_not_fill_memory(pair: Pair) -> None:
    os.write(pair[1].fileno(), bytes(2 * MAX_PACKET))
    assert len(pair[0].receive() or b"") == MAX_PACKET + 1
    assert pair[0].receive() is None


def test_the_worker_waits_for_room_and_the_supervisor_never_does(pair: Pair) -> None:
    ours, theirs = pair
    with pytest.raises(BlockingIOError):
        send_for_ever(ours)
    sent = threading.Event()

    def flood() -> None:
        for _ in range(50):
            theirs.send(bytes(MAX_PACKET))
        sent.set()

    thread = threading.Thread(target=flood)
    thread.start()
    assert not sent.wait(0.05)
    received = 0
    while received < 50:
        received += ours.receive() is not None
    thread.join()
    assert sent.is_set()


def test_what_a_dead_worker_sent_is_read_although_it_left_our_packets_unread(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(b"stop")
    theirs.send(b"one")
    theirs.send(b"two")
    theirs.close()
    assert drain(ours) == [b"one", b"two"]
    assert ours.receive() == b""


def test_sending_to_the_dead_is_an_error(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        pair[0].send(b"stop")


def test_closing_twice_is_closing_once(pair: Pair) -> None:
    pair[0].close()
    pair[0].close()
    assert pair[0].fileno() == -1


def test_descriptors_ride_on_a_packet_and_are_the_receivers(pair: Pair) -> None:
    ours, theirs = pair
    reading, writing = os.pipe()
    ours.send_with(b"here", [writing])
    os.close(writing)
    packet, got = theirs.receive_with()
    assert (packet, len(got)) == (b"here", 1)
    os.write(got[0], b"x")
    assert not os.get_inheritable(got[0])
    close_all(got)
    assert os.read(reading, 2) == b"x"
    assert os.read(reading, 2) == b""
    os.close(reading)


def test_packets_without_descriptors_are_received_beside_those_with(pair: Pair) -> None:
    ours, theirs = pair
    assert ours.receive_with() == (None, [])
    theirs.send(b"plain")
    assert ours.receive_with() == (b"plain", [])
    theirs.close()
    assert ours.receive_with() == (b"", [])


def test_descriptors_beyond_the_most_are_dropped_and_stay_open_nowhere(pair: Pair) -> None:
    ours, theirs = pair
    reading, writing = os.pipe()
    socket.send_fds(theirs._sock, [b"many"], [writing] * 9)
    os.close(writing)
    packet, got = ours.receive_with()
    assert (packet, len(got)) == (b"many", MAX_DESCRIPTORS)
    close_all(got)
    assert os.read(reading, 1) == b""
    os.close(reading)
    with pytest.raises(ValueError, match="9 descriptors"):
        ours.send_with(b"many", [0] * 9)


def test_a_receiver_that_wants_no_descriptors_keeps_none(pair: Pair) -> None:
    ours, theirs = pair
    reading, writing = os.pipe()
    theirs.send_with(b"x", [writing])
    os.close(writing)
    assert ours.receive() == b"x"
    assert os.read(reading, 1) == b""
    os.close(reading)
