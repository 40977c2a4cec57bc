"""Choosing a token: the best one, or one of the best by chance that can be had again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.generation import Generation, choose, mixed

LOGITS = np.log(np.array([0.1, 0.2, 0.4, 0.3]))
FINITE = st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=20)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_greedy_takes_the_best_with_the_models_own_probability() -> None:
    token, log = choose(LOGITS, Generation(), rng())
    assert token == 2
    assert np.exp(log) == pytest.approx(0.4)


def test_of_equal_logits_the_first_is_taken() -> None:
    assert choose(np.zeros(4), Generation(), rng())[0] == 0


def test_at_temperature_one_tokens_come_as_often_as_the_model_says() -> None:
    source = rng(1)
    drawn = [choose(LOGITS, Generation(temperature=1.0), source)[0] for _ in range(20_000)]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares == pytest.approx([0.1, 0.2, 0.4, 0.3], abs=0.02)


def test_a_lower_temperature_sharpens_and_a_higher_one_levels() -> None:
    def share(temperature: float) -> float:
        source = rng(2)
        drawn = [choose(LOGITS, Generation(temperature=temperature), source)[0] for _ in range(4000)]
        return drawn.count(2) / len(drawn)

    # p^(1/T), normalised: 0.16 / 0.30 of the squares, and 1/4 in the limit.
    assert share(0.5) == pytest.approx(0.16 / 0.30, abs=0.03)
    assert share(50) == pytest.approx(0.25, abs=0.03)
    assert share(1e-6) == 1.0


def test_only_the_best_k_are_ever_chosen() -> None:
    source = rng(3)
    drawn = {choose(LOGITS, Generation(temperature=100.0, top_k=2), source)[0] for _ in range(300)}
    assert drawn == {2, 3}
    tied = {choose(np.zeros(5), Generation(temperature=1.0, top_k=2), source)[0] for _ in range(100)}
    assert tied == {0, 1}


def test_the_probability_is_that_among_all_tokens_whatever_was_asked_for() -> None:
    token, log = choose(LOGITS, Generation(temperature=0.1, top_k=1), rng())
    assert (token, round(float(np.exp(log)), 6)) == (2, 0.4)


@given(FINITE, st.floats(0, 10), st.integers(0, 20), st.integers(0, 1 << 62))
def test_the_same_seed_makes_the_same_choice_and_any_choice_is_a_token(
    logits: list[float], temperature: float, top_k: int, seed: int
) -> None:
    generation = Generation(temperature=temperature, top_k=top_k)
    token, log = choose(np.array(logits, np.float32), generation, rng(seed))
    assert (token, log) == choose(np.array(logits, np.float32), generation, rng(seed))
    assert 0 <= token < len(logits)
    assert log <= 1e-12
    if top_k:
        assert sum(one > logits[token] for one in logits) < top_k


@given(FINITE, st.floats(0, 10), st.integers(0, 1 << 62), st.data())
def test_what_is_no_number_is_never_chosen(
    logits: list[float], temperature: float, seed: int, data: st.DataObject
) -> None:
    bad = data.draw(st.sets(st.integers(0, len(logits) - 1), max_size=len(logits) - 1))
    array = np.array(logits)
    for at in bad:
        array[at] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    token, log = choose(array, Generation(temperature=temperature), rng(seed))
    assert token not in bad
    assert np.isfinite(log)


def test_no_finite_logit_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of its 2 logits is finite"):
        choose(np.array([np.nan, -np.inf]), Generation(), rng())


@given(st.integers(0, (1 << 32) - 1), st.lists(st.integers(0, 1 << 20), max_size=8))
def test_a_mixed_seed_fits_63_bits_and_depends_on_seed_and_prompt(seed: int, prompt: list[int]) -> None:
    one = mixed(seed, prompt)
    assert 0 <= one < 1 << 63
    assert one == mixed(seed, prompt)
    assert one != mixed(seed + 1, prompt)
    assert one != mixed(seed, [*prompt, 0])
    assert not prompt or one != mixed(seed, [prompt[0] + 1, *prompt[1:]])
