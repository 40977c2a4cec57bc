"""What training scripts share: Adam with a cosine schedule, on jax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
from jax import numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.types import Array

_DECAY, _DECAY_SQUARE, _EPSILON = 0.9, 0.999, 1e-8


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Give the mean negative log-likelihood of integer ``labels``."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -jnp.mean(chosen)


def fit(
    loss: Callable[..., Any],
    params: Any,
    batches: Iterable[tuple[Array, ...]],
    *,
    steps: int,
    rate: float,
    report: Callable[[int, float], None],
) -> Any:
    """Minimise ``loss(params, *batch)`` over ``batches``.

    Args:
        loss: differentiable by jax.
        params: a tree of arrays, the start.
        batches: ``steps`` of them.
        steps: the length of the schedule, which falls from ``rate`` to 0 as half a cosine.
        rate: the step size at the start.
        report: called with the step's number, from 1, and its loss.

    Returns:
        The trained tree, as numpy arrays.
    """

    def step(params: Any, mean: Any, square: Any, number: Any, batch: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(params, *batch)
        mean = jax.tree.map(lambda m, s: _DECAY * m + (1 - _DECAY) * s, mean, slope)
        square = jax.tree.map(lambda q, s: _DECAY_SQUARE * q + (1 - _DECAY_SQUARE) * s * s, square, slope)
        pace = rate * 0.5 * (1 + jnp.cos(jnp.pi * number / steps))
        pace = pace * jnp.sqrt(1 - _DECAY_SQUARE**number) / (1 - _DECAY**number)
        params = jax.tree.map(lambda p, m, q: p - pace * m / (jnp.sqrt(q) + _EPSILON), params, mean, square)
        return params, mean, square, value

    step = jax.jit(step)
    mean = jax.tree.map(jnp.zeros_like, params)
    square = mean
    for number, batch in enumerate(batches, start=1):
        params, mean, square, value = step(params, mean, square, float(number), batch)
        report(number, float(value))
    return jax.device_get(params)
