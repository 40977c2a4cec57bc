"""Figures of a benchmark: ratios of ours to the other, round by round, against a target."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One claim.

    Attributes:
        name: what was measured.
        unit: of ``ours`` and ``other``.
        ours: one value a round.
        other: the same round's value of the other side.
        target: what the ratio ours / other must reach.
        better: whether the target is a floor ("more") or a ceiling ("less").
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    other: tuple[float, ...]
    target: float
    better: Literal["more", "less"]

    @property
    def ratios(self) -> list[float]:
        """Ours over the other, round by round."""
        return [a / b for a, b in zip(self.ours, self.other, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.ratio >= self.target if self.better == "more" else self.ratio <= self.target

    def to_json(self) -> dict[str, object]:
        """The figure as the benches' common format has it."""
        return {
            "name": self.name,
            "ours": round(statistics.median(self.ours), 4),
            "other": round(statistics.median(self.other), 4),
            "unit": self.unit,
            "ratio": round(self.ratio, 4),
            "ratio_min": round(min(self.ratios), 4),
            "ratio_max": round(max(self.ratios), 4),
            "target": self.target,
            "met": self.met,
        }


def report(figures: list[Figure], *, as_json: bool) -> int:
    """Print the figures; give the exit code: 1 when a target is missed."""
    if as_json:
        print(json.dumps({"machine": machine(), "figures": [figure.to_json() for figure in figures]}))
    else:
        print(f"machine: {machine()}")
        print(f"{'figure':<44} {'ours':>9} {'other':>9} {'unit':<9} {'ratio [min-max]':<20} target")
        for figure in figures:
            row = figure.to_json()
            spread = f"{row['ratio']:.2f} [{row['ratio_min']:.2f}-{row['ratio_max']:.2f}]"
            sign = ">=" if figure.better == "more" else "<="
            verdict = "met" if figure.met else "MISSED"
            print(
                f"{figure.name:<44} {row['ours']:>9} {row['other']:>9} {figure.unit:<9} {spread:<20}"
                f" {sign} {figure.target} {verdict}"
            )
    return 0 if all(figure.met for figure in figures) else 1


def machine() -> str:
    """This machine, for the record."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
