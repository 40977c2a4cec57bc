"""When the governor moves, and that it does not oscillate."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.boards.profiles import Thermal
from agent.governor.ladder import Ladder, Strain
from agent.governor.readings import Heat
from agent.governor.relief import Relief, rungs
from agent.governor.strain import Warmth

RUNGS, DWELL_S, COOL_S = 5, 10.0, 60.0
THERMAL = Thermal(soft_c=75, hard_c=85, hysteresis_c=5)
WHOLE = rungs(("rate", "threads", "variant", "pause"), (0.5, 0.25))

Told = tuple[float, float, int, Strain]

strains = st.lists(st.tuples(st.floats(0.1, 40), st.sampled_from(Strain)), max_size=300)


def ladder() -> Ladder:
    return Ladder(RUNGS, dwell_s=DWELL_S, cool_s=COOL_S)


def after(one: Ladder, strain: Strain, seconds: float, step_s: float = 2.0, now: float = 0.0) -> float:
    """Tell it the same for some time; give the time at the end."""
    for _ in range(round(seconds / step_s)):
        now += step_s
        one.tell(now, strain)
    return now


@settings(deadline=None)
@example([(1, Strain.STRAINED), (1, Strain.CALM), (60, Strain.CALM), (1, Strain.URGENT)])
@given(strains)
def test_opposite_moves_are_apart_but_for_a_limit_that_is_near(story: list[tuple[float, Strain]]) -> None:
    one, now, moves = ladder(), 0.0, [(-math.inf, 0, Strain.CALM)]
    for gap, strain in story:
        now += gap
        before = one.rung
        if moved := one.tell(now, strain):
            moves.append((now, moved, strain))
        assert one.rung == before + moved
        assert 0 <= one.rung <= RUNGS
    for (earlier, way, _), (later, other, why) in pairwise(moves):
        if other < 0:
            assert (other, why) == (-1, Strain.CALM)
            assert later - earlier >= COOL_S
        elif why is Strain.STRAINED:
            assert later - earlier >= (DWELL_S if way > 0 else COOL_S)
        elif why is Strain.URGENT and way > 0:
            assert later - earlier >= DWELL_S / 4


@settings(deadline=None)
@given(strains)
def test_at_the_limit_everything_is_done_at_once(story: list[tuple[float, Strain]]) -> None:
    one, now = ladder(), 0.0
    for gap, strain in story:
        now += gap
        one.tell(now, strain)
        assert strain is not Strain.EXTREME or one.rung == RUNGS


@settings(deadline=None)
@given(strains)
def test_whatever_was_it_comes_back_to_the_ground_when_it_stays_calm(
    story: list[tuple[float, Strain]],
) -> None:
    one, now = ladder(), 0.0
    for gap, strain in story:
        now += gap
        one.tell(now, strain)
    after(one, Strain.CALM, 16 * COOL_S + (RUNGS + 1) * COOL_S, now=now)
    assert one.rung == 0


def test_it_goes_up_a_rung_each_ten_seconds_and_four_times_as_fast_when_it_is_urgent() -> None:
    slow, fast = ladder(), ladder()
    after(slow, Strain.STRAINED, 31)
    after(fast, Strain.URGENT, 8, step_s=0.5)
    assert (slow.rung, fast.rung) == (4, 4)


def test_what_is_neither_hot_nor_cool_moves_nothing() -> None:
    one = ladder()
    now = after(one, Strain.STRAINED, 2)
    after(one, Strain.STEADY, 3600, now=now)
    assert one.rung == 1


def test_a_calm_that_is_broken_begins_anew() -> None:
    one = ladder()
    now = after(one, Strain.STRAINED, 2)
    for _ in range(10):
        now = after(one, Strain.CALM, 50, now=now)
        now = after(one, Strain.STEADY, 2, now=now)
    assert one.rung == 1


def test_a_rung_that_was_needed_again_is_kept_twice_as_long() -> None:
    one, now, held = Ladder(1, dwell_s=DWELL_S, cool_s=COOL_S), 0.0, []
    for _ in range(7):
        while one.rung == 0:
            now = after(one, Strain.STRAINED, 2, now=now)
        began = one.since
        while one.rung:
            now = after(one, Strain.CALM, 2, now=now)
        held.append(round((one.since - began) / COOL_S))
    assert held == [1, 2, 4, 8, 16, 16, 16]
    now = after(one, Strain.CALM, 11 * COOL_S, now=now)  # nothing goes wrong for a while
    now = after(one, Strain.STRAINED, 2, now=now)
    after(one, Strain.CALM, COOL_S + 4, now=now)
    assert one.rung == 0


def test_a_ladder_without_rungs_never_moves() -> None:
    one = Ladder(0, dwell_s=1, cool_s=1)
    assert one.tell(1, Strain.EXTREME) == 0


def simulate(ambient_c: float, full_c: float, seconds: float, noise_c: float = 0.0) -> list[Told]:
    """Run a board whose temperature follows its frames; each 4 s: time, degrees, rung, strain.

    Args:
        ambient_c: without any frame.
        full_c: by how much all frames warm it up, in the end.
        seconds: its time constant.
        noise_c: of its sensor.
    """
    one, warmth = Ladder(len(WHOLE) - 1, dwell_s=DWELL_S, cool_s=COOL_S), Warmth(THERMAL, 30)
    celsius, told, dice = ambient_c, [], random.Random(0)
    for step in range(1800):
        now = 4.0 * step
        target = ambient_c + full_c * WHOLE[one.rung].share
        celsius = target + (celsius - target) * math.exp(-4.0 / seconds)
        strain, _ = warmth.judge(now, Heat(celsius + dice.uniform(-noise_c, noise_c), "0:cpu"))
        one.tell(now, strain)
        told.append((now, celsius, one.rung, strain))
    return told


@pytest.mark.parametrize("seconds", [60, 200, 600])
@pytest.mark.parametrize("full_c", [30, 45, 60, 75])
def test_a_board_stays_below_its_limit_and_settles(full_c: float, seconds: float) -> None:
    told = simulate(30, full_c, seconds, noise_c=0.5)
    assert max(celsius for _, celsius, *_ in told) < THERMAL.hard_c
    moves = [later[0] for earlier, later in pairwise(told) if earlier[2] != later[2]]
    assert len([one for one in moves if one > 3600]) <= 16  # four tries in the second hour
    if 30 + full_c < THERMAL.soft_c:
        assert moves == []


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 45), st.floats(10, 80), st.floats(40, 900))
def test_no_board_is_driven_to_and_fro(ambient_c: float, full_c: float, seconds: float) -> None:
    told = simulate(ambient_c, full_c, seconds)
    moves = [
        (now, rung - before, strain)
        for (_, _, before, _), (now, _, rung, strain) in pairwise(told)
        if before != rung
    ]
    for (earlier, one, _), (later, other, why) in pairwise(moves):
        assert one * other > 0 or later - earlier >= COOL_S or why >= Strain.URGENT
    assert len(moves) <= 40


def test_what_a_rung_asks_for_includes_what_those_below_it_do() -> None:
    assert (
        Relief(),
        Relief(0.5),
        Relief(0.25),
        Relief(0.25, threads=1),
        Relief(0.25, threads=1, variant="small"),
        Relief(0.25, threads=1, variant="small", pause=True),
    ) == WHOLE
    assert [str(one) for one in WHOLE[::5]] == [
        "nothing held back",
        "rate 25 %, 1 thread, small variant, low priority paused",
    ]
    assert rungs((), (0.5,)) == (Relief(),)


def test_two_ladders_ask_for_what_both_ask_for() -> None:
    assert Relief(0.5, threads=2) | Relief(0.25, threads=1, pause=True) == Relief(0.25, 1, "", pause=True)
    assert Relief(threads=2) | Relief() == Relief(threads=2)
    assert Relief() | Relief(variant="small") == Relief(variant="small")
