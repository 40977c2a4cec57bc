"""What the supervisor lends waits for who uses it, and is let go of when it is taken back or replaced."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from agent.boards.accelerators import Lend
from agent.workers.lending import Lending

if TYPE_CHECKING:
    from collections.abc import Iterator


class Taker:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[int, int]] = []
        self.relieved: list[int] = []

    def lend(self, terms: Lend, fd: int) -> None:
        self.given.append((terms.generation, fd))

    def relieve(self, generation: int) -> None:
        self.relieved.append(generation)


@contextmanager
def pipes(count: int) -> Iterator[tuple[list[int], list[int]]]:
    """Give so many ends that are lent, and the others, which show whether those are open."""
    ends = [os.pipe() for _ in range(count)]
    yield [writing for _, writing in ends], [reading for reading, _ in ends]
    for reading, _ in ends:
        os.close(reading)


def closed(reading: int) -> bool:
    os.set_blocking(reading, False)
    try:
        return os.read(reading, 1) == b""
    except BlockingIOError:
        return False


def terms(generation: int) -> Lend:
    return Lend(accelerator="liar", generation=generation)


def test_what_comes_early_waits_and_what_comes_later_goes_on() -> None:
    lending, taker = Lending(), Taker()
    with pipes(2) as (lent, others):
        lending.lend(terms(1), lent[0])
        lending.begin(taker)
        lending.lend(terms(2), lent[1])
        lending.relieve(2)
        assert (taker.given, taker.relieved) == ([(1, lent[0]), (2, lent[1])], [2])
        assert [closed(one) for one in others] == [False, False]
        for one in lent:
            os.close(one)


@pytest.mark.parametrize("how", ["replaced", "taken back"])
def test_what_nobody_has_used_yet_is_closed_when_it_is_taken_back_or_replaced(how: str) -> None:
    lending = Lending()
    with pipes(2) as (lent, others):
        lending.lend(terms(1), lent[0])
        if how == "replaced":
            lending.lend(terms(2), lent[1])
            assert lending.wait(1) == (terms(2), lent[1])
        else:
            lending.relieve(0)
            assert not closed(others[0])
            lending.relieve(1)
            assert lending.wait(0.001) is None
        assert closed(others[0])
        os.close(lent[1])


def test_whoever_waits_gets_it_once() -> None:
    lending = Lending()
    with pipes(1) as (lent, _):
        lending.lend(terms(1), lent[0])
        assert lending.wait(1) == (terms(1), lent[0])
        assert lending.wait(0.001) is None
        os.close(lent[0])
