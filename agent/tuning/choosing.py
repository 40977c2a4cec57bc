"""Choose how a model is to run: never slower than the default, and simple where it makes no difference.

Rounds are paired: in each one every setting had its turn, in a random order, so what else the machine did hit
all alike. Compared is the ratio of a round's 95th percentiles, setting over default. Its median over the
rounds has a confidence interval by the bootstrap (Efron, Bootstrap methods, Annals of Statistics 7, 1979:
percentiles of the medians of resampled rounds).
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.histogram import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.tuning.measured import Measured
    from agent.tuning.setting import Setting

TIE = 0.05
"""What is nearer than this to the fastest is as fast; and what gains less is not worth a change."""
CONFIDENCE = 0.95
LEAST_ROUNDS = 6
"""With fewer nothing is certain, and the default stays."""
_RESAMPLES = 1000
_SEED = 7


@dataclass(frozen=True, slots=True)
class Ratio:
    """How long a setting takes, as a share of what the default takes: the median, and where it lies."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        measured: of the setting.
        why: the reason, in a few words.
        ratio: against the default; None where the default could not be compared.
    """

    measured: Measured
    why: str
    ratio: Ratio | None = None

    @property
    def setting(self) -> Setting:
        """The setting."""
        return self.measured.setting


def ratio(ours: Sequence[float], others: Sequence[float]) -> Ratio:
    """Compare two rows of figures, round by round; the same rows give the same interval.

    Raises:
        statistics.StatisticsError: there are none.
    """
    ratios = [a / b for a, b in zip(ours, others, strict=True)]
    dice = random.Random(_SEED)  # noqa: S311 - the same interval each time
    medians = [statistics.median(dice.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    return Ratio(statistics.median(ratios), percentile(medians, tail), percentile(medians, 1 - tail))


def choose(all_measured: Sequence[Measured]) -> Choice | None:
    """Choose among settings of the CPU; the first one is the default. None when nothing works.

    The simplest of those that tie with the fastest is tried first, then other ones; the first that is
    clearly faster than the default is taken. Where none is, the default stays. A default that does not work,
    or answers otherwise than it must, is replaced by the simplest of the fastest.
    """
    default = all_measured[0]
    usable = [one for one in all_measured if one.usable and not one.setting.delegate]
    if not usable:
        return None
    scores = {one.setting: statistics.median(one.p95s) for one in usable}
    limit = min(scores.values()) * (1 + TIE)
    ties = [one for one in usable if scores[one.setting] <= limit]
    rest = [one for one in usable if scores[one.setting] > limit]
    ordered = sorted(ties, key=lambda one: (one.setting.effort, scores[one.setting]))
    ordered += sorted(rest, key=lambda one: scores[one.setting])
    if not default.usable:
        return Choice(ordered[0], f"the default does not work here: {default.problem}")
    if default in ties:
        return Choice(default, "nothing is faster by more than 5 %")
    if len(default.rounds) < LEAST_ROUNDS:
        return Choice(default, "too few rounds to be certain")
    for one in ordered:
        if one is not default and (found := _gain(one, default)):
            return Choice(one, f"its p95 is {found.median:.2f} of the default's", found)
    return Choice(default, "nothing is clearly faster")


def _gain(one: Measured, default: Measured) -> Ratio | None:
    """How it compares, if it is clearly faster; a rare fast round or a slower median does not count."""
    found = ratio(one.p95s, default.p95s)
    clear = found.median < 1 - TIE and found.high < 1
    whole = one.share(0.95) < (1 - TIE) * default.share(0.95)
    usual = ratio(one.p50s, default.p50s).median <= 1
    return found if clear and whole and usual else None
