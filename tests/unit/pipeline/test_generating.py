"""Generating on the real runtime: a model of seven words, run once a token."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.backends import tflite
from agent.errors import InputRejected
from agent.generation import Generation
from agent.pipeline.generating import Generator
from models.speller import (
    COLD,
    END,
    HOT,
    NOW,
    PLACES,
    PROBABILITIES,
    PUMP,
    RUNS,
    THE,
    WORDS,
    speller,
)
from tests import runtimes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, Backend

GIVES: tuple[Any, ...] = ("next", "every")


def model(gives: Any = "every") -> Backend:
    return tflite.build(runtimes.options(tflite.Options), speller(gives), "speller")


def prompt(*tokens: int) -> Array:
    return np.array([[*tokens, *[-1] * (PLACES - len(tokens))]], np.int32)


class Looking:
    """A backend that keeps what the model was given."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.inputs, self.outputs = backend.inputs, backend.outputs
        self.runtime, self.delegate, self.delegated = backend.runtime, backend.delegate, backend.delegated
        self.given: list[list[int]] = []

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        self.given.append(tensors[0].reshape(-1).tolist())
        return self._backend.infer(tensors)

    def close(self) -> None:
        self._backend.close()


@pytest.mark.parametrize("gives", GIVES)
def test_the_most_likely_sentence_is_spelt_up_to_its_stop(gives: Any) -> None:
    generator = Generator(model(gives), Generation(max_tokens=8, stop=(END,)))
    tokens, logs, seed = generator.infer((prompt(THE),))
    assert tokens.tolist() == [[PUMP, RUNS, HOT, NOW, END, -1, -1, -1]]
    assert [one.dtype.name for one in (tokens, logs, seed)] == ["int32", "float32", "int64"]
    chain = [THE, PUMP, RUNS, HOT, NOW, END]
    wanted = [PROBABILITIES[one, two] for one, two in pairwise(chain)]
    assert np.exp(logs[0, :5]).tolist() == pytest.approx(wanted, rel=1e-5)
    generator.close()


def test_each_run_of_the_model_is_told_since_each_has_a_deadline_of_its_own() -> None:
    looking, told = Looking(model("next")), list[int]()
    Generator(looking, Generation(max_tokens=5), lambda: told.append(len(looking.given))).infer(
        (prompt(THE),)
    )
    assert told == [0, 1, 2, 3, 4]
    looking.close()


@pytest.mark.parametrize(
    ("gives", "first", "last"),
    [
        ("every", [THE, 9, 9, 9], [PUMP, RUNS, HOT, NOW]),
        ("next", [9, 9, 9, THE], [PUMP, RUNS, HOT, NOW]),
    ],
)
def test_the_window_fills_up_then_slides(gives: Any, first: list[int], last: list[int]) -> None:
    looking = Looking(model(gives))
    Generator(looking, Generation(max_tokens=5, pad=6)).infer((prompt(THE),))
    assert looking.given[0] == [6 if one == 9 else one for one in first]
    assert looking.given[-1] == last
    looking.close()


def test_a_prompt_of_the_options_stands_before_the_frames_tokens() -> None:
    looking = Looking(model())
    Generator(looking, Generation(max_tokens=1, prompt=(THE, PUMP))).infer((prompt(RUNS),))
    assert looking.given == [[THE, PUMP, RUNS, 0]]
    Generator(looking, Generation(max_tokens=1, prompt=(THE, PUMP))).infer((prompt(THE, PUMP, RUNS, HOT),))
    assert looking.given[1] == [THE, PUMP, RUNS, HOT]
    looking.close()


@settings(max_examples=40)
@given(
    st.integers(0, (1 << 32) - 1),
    st.floats(0.1, 2),
    st.integers(0, 7),
    st.lists(st.integers(0, len(WORDS) - 1), min_size=1, max_size=PLACES),
)
def test_the_same_seed_and_prompt_make_the_same_tokens_however_the_model_gives_its_logits(
    seed: int, temperature: float, top_k: int, words: list[int]
) -> None:
    told = Generation(max_tokens=12, temperature=temperature, top_k=top_k, seed=seed, stop=(END,))
    found = []
    for gives in (*GIVES, "every"):
        backend = model(gives)
        found.append(Generator(backend, told).infer((prompt(*words),)))
        backend.close()
    for one in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(one, found[0], strict=True))


def test_the_recorded_seed_draws_the_same_tokens_again() -> None:
    backend = model()
    told = Generation(max_tokens=20, temperature=1.0, seed=5)
    tokens, _, seed = Generator(backend, told).infer((prompt(RUNS),))
    rng = np.random.Generator(np.random.PCG64(int(seed[0])))
    at, again = RUNS, []
    for _ in range(20):
        at = int(np.searchsorted(PROBABILITIES[at].cumsum(), rng.random()))
        again.append(at)
    assert tokens[0].tolist() == again
    backend.close()


def test_sampling_says_what_is_less_likely_as_often_as_it_is() -> None:
    backend = model()
    said = []
    for seed in range(400):
        told = Generation(max_tokens=1, temperature=1.0, seed=seed)
        said.append(int(Generator(backend, told).infer((prompt(RUNS),))[0][0, 0]))
    assert said.count(COLD) / len(said) == pytest.approx(0.25, abs=0.07)
    backend.close()


def test_frames_without_a_token_or_with_an_unknown_one_are_rejected() -> None:
    backend = model()
    generator = Generator(backend, Generation())
    with pytest.raises(InputRejected, match="there is no token to begin with"):
        generator.infer((prompt(),))
    with pytest.raises(InputRejected, match="token 7 is none of the 7 that the model knows"):
        generator.infer((prompt(THE, 7),))
    backend.close()


class Broken(Looking):
    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        return [np.full_like(one, np.nan) for one in super().infer(tensors)]


def test_logits_that_are_no_numbers_are_a_rejected_frame() -> None:
    broken = Broken(model())
    with pytest.raises(InputRejected, match="none of its 7 logits is finite"):
        Generator(broken, Generation()).infer((prompt(THE),))
    broken.close()


class Shifting(Looking):
    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        return [one[:, :1] for one in super().infer(tensors)]


def test_logits_of_another_shape_than_the_model_says_are_a_rejected_frame() -> None:
    shifting = Shifting(model("every"))
    with pytest.raises(InputRejected, match=r"its shape is \[1, 1, 7\], and the model says \[1, 4, 7\]"):
        Generator(shifting, Generation()).infer((prompt(THE, PUMP),))
    shifting.close()
