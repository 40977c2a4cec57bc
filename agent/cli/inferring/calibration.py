"""What errors of normal inputs say of an anomaly's threshold."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Calibration:
    """Figures of errors.

    Attributes:
        count: how many there are.
        mean: of all.
        std: of the population.
        p50: half of them are no greater; so are 95 % and 99 % for ``p95`` and ``p99``.
        p95: see ``p50``.
        p99: see ``p50``.
        max: the greatest.
        threshold: what is suggested, rounded up to 4 digits.
        above: how many of the errors reach the threshold.
    """

    count: int
    mean: float
    std: float
    p50: float
    p95: float
    p99: float
    max: float
    threshold: float
    above: int


def error_of(items: Sequence[Mapping[str, Any]]) -> float | None:
    """Give the error that a record's items tell of; None where a worker tells of no finite number."""
    first = items[0] if items else {}
    error = first.get("error") if isinstance(first, dict) else None
    there = isinstance(error, int | float) and not isinstance(error, bool) and math.isfinite(error)
    return error if there else None


def calibrate(errors: Sequence[float], share: float, sigmas: float | None = None) -> Calibration:
    """Work it out.

    Args:
        errors: finite, at least one.
        share: of the errors that are to lie at or below the threshold, above 0 to 1.
        sigmas: in place of that, the threshold is the mean and so many standard deviations.
    """
    ordered = sorted(errors)
    mean, std = statistics.fmean(ordered), statistics.pstdev(ordered)
    wanted = quantile(ordered, share) if sigmas is None else mean + sigmas * std
    threshold = _above(wanted)
    return Calibration(
        count=len(ordered),
        mean=mean,
        std=std,
        p50=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        p99=quantile(ordered, 0.99),
        max=ordered[-1],
        threshold=threshold,
        above=sum(error >= threshold for error in ordered),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Give the value below which a share of them lies, by linear interpolation (Hyndman and Fan's type 7)."""
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _above(value: float) -> float:
    """Round up to 4 digits, to just above ``value``: what is as great as it is normal."""
    if value <= 0:
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    steps = math.floor(value / unit)
    candidates = (
        float(f"{(steps + more) * unit:.6g}") for more in (1, 2)
    )  # the division may have rounded down
    return next(one for one in candidates if one > value)
