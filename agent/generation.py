"""How a sequence is generated: token by token, each chosen from the model's logits.

Choosing is greedy, or random at a temperature among the best ``top_k``. Random numbers come from PCG64, whose
stream numpy keeps; the same logits and the same seed make the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array

MAX_TOKENS = 256
NO_TOKEN = -1
"""Fills up a list of tokens that has a fixed length, before the model and after it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What is generated.

    Attributes:
        max_tokens: how many tokens at most, 1 to 256.
        temperature: 0 takes the best token each time; logits are divided by it otherwise.
        top_k: how many of the best tokens may be chosen; 0 for all.
        seed: of the random numbers, mixed with the prompt.
        prompt: tokens that stand before those of the frame.
        stop: tokens that end a sequence.
        pad: what the model is given where there is no token.
    """

    max_tokens: int = 32
    temperature: float = 0.0
    top_k: int = 0
    seed: int = 0
    prompt: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()
    pad: int = 0


def mixed(seed: int, prompt: Sequence[int]) -> int:
    """Give the seed of one generation, 63 bits: the same for the same prompt, in whatever frame it comes.

    Args:
        seed: the configured one, 0 or more.
        prompt: tokens, 0 or more each.
    """
    state = np.random.SeedSequence((seed, len(prompt), *prompt)).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def choose(logits: Array, generation: Generation, rng: np.random.Generator) -> tuple[int, float]:
    """Choose the next token.

    Logits that are NaN or infinite are never chosen; -inf is how models forbid a token.

    Args:
        logits: float (vocabulary,).
        generation: how to choose.
        rng: used once, unless the choice is greedy.

    Returns:
        The token, and the logarithm of its probability for the model: of all tokens, at temperature 1.

    Raises:
        ValueError: none of the logits is finite.
    """
    logits = logits.astype(np.float64)
    allowed = np.isfinite(logits)
    if not allowed.any():
        raise ValueError(f"none of its {logits.size} logits is finite")
    below = np.where(allowed, logits - logits[allowed].max(), -np.inf)
    total = np.log(np.exp(below).sum())
    token = int(below.argmax())
    if generation.temperature > 0:
        kept = _best(below, generation.top_k)
        with np.errstate(over="ignore"):  # what is that far below the best is never chosen
            weights = np.exp(below[kept] / generation.temperature)
        at = np.searchsorted(weights.cumsum(), rng.random() * weights.sum(), side="right")
        token = int(kept[min(int(at), kept.size - 1)])
    return token, float(below[token] - total)


def _best(logits: Array, count: int) -> Array:
    """Give the indices of the best, in their order; of equal ones, the lower index first; 0 for all."""
    if not 0 < count < logits.size:
        return np.arange(logits.size)
    return np.sort(np.argsort(-logits, kind="stable")[:count])
