"""What the tuner chooses: never what is slower, and the simple where it makes no difference."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tuning.choosing import LEAST_ROUNDS, TIE, Choice, choose, ratio
from agent.tuning.measured import Measured
from agent.tuning.messages import Loaded
from agent.tuning.setting import MOST, Setting, grid, usual_threads

DEFAULT = Setting()
LOADED = Loaded(
    model="digits@1",
    sha256="a" * 64,
    size=1,
    runtime="ai-edge-litert 2.3.0",
    delegate="xnnpack",
    delegated=(1, 1),
    load_ms=1,
    first_ms=1,
    rss_mb=1,
    process_mb=1,
)
TIMES = st.floats(0.01, 1000)
SETTINGS = grid([1, 2, 4], [], DEFAULT)


def measured(setting: Setting, *rounds: float, problem: str = "") -> Measured:
    """A setting whose inferences all took as long, round by round."""
    return Measured(setting, LOADED, tuple((one,) * 20 for one in rounds), problem=problem)


def steady(setting: Setting, ms: float, problem: str = "") -> Measured:
    return measured(setting, *[ms] * 20, problem=problem)


def noisy(setting: Setting, ms: float, noise: float) -> Measured:
    dice = random.Random(str(setting))
    return measured(setting, *(ms * dice.uniform(1 - noise, 1 + noise) for _ in range(20)))


def chosen(*settings: Measured) -> Setting:
    choice = choose(settings)
    assert choice is not None
    return choice.setting


@st.composite
def tables(draw: st.DrawFn) -> list[Measured]:
    """Anything that may be measured: a default first, others beside it, in as many rounds."""
    rounds = draw(st.integers(1, 12))
    row = st.lists(st.lists(TIMES, min_size=1, max_size=4).map(tuple), min_size=rounds, max_size=rounds).map(
        tuple
    )
    others = draw(st.lists(st.sampled_from(SETTINGS[1:]), unique=True, max_size=4))
    problems = st.sampled_from(["", "", "", "wrong"])
    return [Measured(one, LOADED, draw(row), problem=draw(problems)) for one in [DEFAULT, *others]]


@given(tables())
def test_what_is_chosen_is_never_slower_than_a_default_that_works(table: list[Measured]) -> None:
    choice = choose(table)
    default = table[0]
    if choice is None:
        assert not any(one.usable for one in table)
        return
    assert choice.measured in table
    assert choice.measured.usable
    if not default.usable or choice.setting == DEFAULT:
        return
    ours, theirs = choice.measured, default
    assert len(default.rounds) >= LEAST_ROUNDS
    assert ours.share(0.95) < (1 - TIE) * theirs.share(0.95)
    found = ratio(ours.p95s, theirs.p95s)
    assert choice.ratio == found
    assert found.high < 1
    assert found.median < 1 - TIE
    assert statistics.median(a / b for a, b in zip(ours.p50s, theirs.p50s, strict=True)) <= 1


@given(st.lists(TIMES, min_size=1, max_size=30), st.floats(0.1, 10))
def test_a_ratio_lies_within_its_interval_and_does_not_know_the_unit(
    times: list[float], factor: float
) -> None:
    found = ratio([one * factor for one in times], times)
    assert found.low <= found.median <= found.high
    assert found.median == pytest.approx(factor)


def test_two_threads_are_chosen_where_they_are_clearly_faster() -> None:
    two = Setting(2)
    choice = choose([noisy(DEFAULT, 10, 0.2), noisy(two, 6, 0.2)])
    assert choice is not None
    assert choice.setting == two
    assert choice.ratio is not None
    assert 0.5 < choice.ratio.median < 0.7


def test_one_thread_stays_where_two_are_slower() -> None:
    builtin = Setting(1, xnnpack=False)
    assert chosen(steady(builtin, 0.83), steady(Setting(2, xnnpack=False), 18)) == builtin


def test_of_two_that_are_as_fast_the_simpler_one_is_chosen() -> None:
    four, two, builtin = Setting(4), Setting(2), Setting(2, xnnpack=False)
    default = steady(DEFAULT, 10)
    assert chosen(default, steady(four, 5), steady(two, 5.2)) == two
    assert chosen(default, steady(builtin, 5), steady(two, 5.2)) == two
    assert chosen(default, steady(four, 5), steady(two, 5.3)) == four


def test_what_gains_less_than_5_percent_is_not_worth_it() -> None:
    assert chosen(steady(DEFAULT, 10), steady(Setting(2), 9.6)) == DEFAULT
    assert chosen(steady(DEFAULT, 10), steady(Setting(2), 9.4)) == Setting(2)


def test_a_gain_that_noise_may_have_made_does_not_count() -> None:
    by_turns = measured(Setting(2), *[5, 15] * 9, 5, 5)
    assert chosen(steady(DEFAULT, 10), by_turns) == DEFAULT


def test_a_gain_in_half_of_the_rounds_only_is_not_certain() -> None:
    default = measured(DEFAULT, *[5] * 9, *[10] * 11)
    assert chosen(default, measured(Setting(2), *[6] * 9, *[9] * 11)) == DEFAULT


def test_a_few_large_gains_do_not_make_up_for_a_small_one_as_a_rule() -> None:
    default = measured(DEFAULT, *[100] * 2, *[10] * 9, *[1] * 9)
    other = measured(Setting(2), *[50] * 2, *[9.7] * 4, *[5] * 5, *[0.97] * 9)
    assert chosen(default, other) == DEFAULT


def test_few_rounds_prove_nothing() -> None:
    few = LEAST_ROUNDS - 1
    default, fast = measured(DEFAULT, *[10.0] * few), measured(Setting(2), *[1.0] * few)
    assert chosen(default, fast) == DEFAULT


def test_a_slower_median_is_not_bought_with_a_better_tail() -> None:
    spiky = Measured(DEFAULT, LOADED, (((1.0,) * 10 + (50.0,) * 10),) * 20)
    assert chosen(spiky, steady(Setting(2), 20)) == DEFAULT


def test_the_next_best_is_taken_where_the_simplest_of_the_fastest_is_not_certain() -> None:
    uncertain = measured(Setting(2), *[2.0, 30.0] * 5, *[2.0] * 10)
    assert chosen(steady(DEFAULT, 10), uncertain, steady(Setting(4), 2)) == Setting(4)


def test_wrong_answers_are_not_chosen_however_fast_they_come() -> None:
    wrong = steady(Setting(2), 1, problem="wrong: output 0 is off by 9")
    assert chosen(steady(DEFAULT, 10), wrong) == DEFAULT


def test_a_default_that_does_not_work_is_replaced_by_the_simplest_of_the_fastest() -> None:
    broken = Measured(DEFAULT, None, (), problem="its process died: ended by SIGILL")
    builtin = Setting(1, xnnpack=False)
    choice = choose([broken, steady(Setting(2, xnnpack=False), 5), steady(builtin, 5.1)])
    assert choice == Choice(
        steady(builtin, 5.1), "the default does not work here: its process died: ended by SIGILL"
    )
    assert choose([broken]) is None


def test_accelerators_are_measured_and_not_chosen() -> None:
    assert chosen(steady(DEFAULT, 10), steady(Setting(delegate="edgetpu"), 1)) == DEFAULT


@given(st.lists(st.integers(1, 16), max_size=8), st.lists(st.sampled_from(["edgetpu", "gpu"]), unique=True))
def test_a_grid_begins_with_the_default_and_names_each_way_once(
    threads: list[int], delegates: list[str]
) -> None:
    found = grid(threads, delegates, Setting(3))
    assert found[0] == Setting(3)
    assert len(set(found)) == len(found) <= MOST
    assert {one.delegate for one in found} == {"", *delegates}
    assert {one.threads for one in found if not one.delegate} == {*threads, 3}


def test_no_more_threads_are_tried_than_there_are_cores() -> None:
    assert usual_threads(1, 1) == [1]
    assert usual_threads(3, 1) == [1, 2]
    assert usual_threads(4, 3) == [1, 2, 3, 4]
    assert usual_threads(1, 4) == [1, 4]
