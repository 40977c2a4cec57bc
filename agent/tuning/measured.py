"""What was measured of one setting."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from agent.histogram import percentile

if TYPE_CHECKING:
    from agent.tuning.messages import Loaded
    from agent.tuning.setting import Setting


@dataclass(frozen=True)
class Measured:
    """One setting of one model.

    Attributes:
        setting: which.
        loaded: what its process said; None when it never came so far.
        rounds: times of inferences, milliseconds, of each round; the same rounds as the other settings'.
        goldens: golden answers that it has met.
        checked: whether its outputs were compared at all.
        problem: why it counts for nothing: it failed, or its outputs are wrong; "" when it is fine.
    """

    setting: Setting
    loaded: Loaded | None
    rounds: tuple[tuple[float, ...], ...]
    goldens: int = 0
    checked: bool = False
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether it ran, and is not known to be wrong."""
        return self.loaded is not None and not self.problem and bool(self.rounds)

    @cached_property
    def times(self) -> list[float]:
        """All times, milliseconds, sorted."""
        return sorted(one for each in self.rounds for one in each)

    def share(self, share: float) -> float:
        """Give a percentile of all times, milliseconds."""
        return percentile(self.times, share)

    @cached_property
    def p50s(self) -> list[float]:
        """The median of each round."""
        return [percentile(one, 0.5) for one in self.rounds]

    @cached_property
    def p95s(self) -> list[float]:
        """The 95th percentile of each round."""
        return [percentile(one, 0.95) for one in self.rounds]

    @property
    def fps(self) -> float:
        """Inferences a second, one after the other."""
        return 1000 / statistics.fmean(self.times)
