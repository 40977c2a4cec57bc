"""How much room a bulk connection makes, on real sockets of the loopback."""

from __future__ import annotations

import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from agent.link import pace
from agent.link.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        with ours, theirs:
            yield ours, theirs


def passed(ours: socket.socket, theirs: socket.socket, size: int) -> None:
    theirs.sendall(bytes(size))
    while size:
        size -= len(ours.recv(size))


def test_room_grows_with_the_rate_and_is_bounded() -> None:
    with connected() as (ours, theirs), closing(Pace(ours.fileno(), 0.0)) as watched:
        first, rooms = watched.room, []
        for turn in range(1, 8):
            for _ in range(40):
                passed(ours, theirs, 60_000)
            watched.look(turn * 0.05)
            rooms.append(watched.room)
        assert first < rooms[0] <= 2 * first
        assert rooms == sorted(rooms)
        assert rooms[-1] == pace._LARGE
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP) == pace._LARGE


def test_room_on_a_slow_link_is_what_it_carries_in_a_short_wait() -> None:
    with connected() as (ours, theirs), closing(Pace(ours.fileno(), 0.0)) as watched:
        watched._least = lambda: pace._SMALL  # type: ignore[method-assign]
        watched.room = 1 << 20
        for turn in range(1, 20):
            passed(ours, theirs, 64_000)
            watched.look(turn * 0.25)
        assert 256_000 * 0.15 <= watched.room <= 256_000 * 0.2


def test_a_pause_of_the_caller_does_not_shrink_the_room_at_once() -> None:
    with connected() as (ours, theirs), closing(Pace(ours.fileno(), 0.0)) as watched:
        for turn in range(1, 8):
            for _ in range(40):
                passed(ours, theirs, 60_000)
            watched.look(turn * 0.05)
        watched.look(30.0)
        assert watched.room == pace._LARGE


def test_two_looks_in_a_row_count_once() -> None:
    with connected() as (ours, theirs), closing(Pace(ours.fileno(), 0.0)) as watched:
        passed(ours, theirs, 60_000)
        first = watched.room
        watched.look(0.01)
        assert watched.room == first
