"""Makes samples of the messages of a CAN bus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.sources.fieldbus.signals import Message, Signals
    from agent.types import Array


class Link(Protocol):
    """A way to a bus."""

    @property
    def name(self) -> str:
        """What errors call it."""

    def receive(self, timeout_s: float) -> Sequence[Message | str]:
        """Wait for messages; give those that are there, bounded in number, or what was wrong between them.

        Raises:
            SourceLost: the bus is away.
        """

    def close(self) -> None:
        """Release it. Idempotent."""


class Bus:
    """Implements ``Feed``.

    Args:
        link: the way to the bus; closed with this.
        signals: what its messages mean.
    """

    def __init__(self, link: Link, signals: Signals) -> None:
        self._link = link
        self._signals = signals
        self._last_ns = 0

    @property
    def name(self) -> str:
        """The bus's name."""
        return self._link.name

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Wait for messages, and give the samples that they make.

        Raises:
            SourceLost: the bus is away.
        """
        found: list[tuple[Array, Array] | str] = []
        times: list[int] = []
        rows: list[tuple[float, ...]] = []
        deadline = time.monotonic() + timeout_s
        while not found and not rows:
            for one in self._link.receive(max(0.0, deadline - time.monotonic())):
                made = one if isinstance(one, str) else self._signals.take(one)
                if isinstance(made, str):
                    found += _sampled(times, rows)
                    found.append(made)
                    times, rows = [], []
                elif made is not None and not isinstance(one, str):
                    self._last_ns = max(self._last_ns + 1, one.at_ns)
                    times.append(self._last_ns)
                    rows.append(made)
            if time.monotonic() >= deadline:
                break
        return found + _sampled(times, rows)

    def close(self) -> None:
        """Close the way to the bus. Idempotent."""
        self._link.close()


def _sampled(times: list[int], rows: list[tuple[float, ...]]) -> list[tuple[Array, Array] | str]:
    return [(np.array(times), np.array(rows))] if rows else []
