"""The frame ledger: each captured frame ends in exactly one account.

    captured = inferred + filtered(filter) + gated + dropped(reason) + failed(reason) + lost + in flight

``filtered`` frames were inferred, and a filter held their results back; each ``inferred`` frame has one.

``captured`` and ``in_flight`` are counted on their own, never derived from the others: a ledger that
does not balance is a bug that shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_REASONS = 64
"""Names of reasons, or of filters, in one account; frames of further ones count as ``OTHER``."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of frames of one pipeline, since its epoch or its worker began."""

    captured: int = 0
    inferred: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)
    gated: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0
    in_flight: int = 0

    @property
    def settled(self) -> int:
        """Frames whose end is known."""
        told = (self.filtered, self.dropped, self.failed)
        return self.inferred + self.gated + self.lost + sum(sum(one.values()) for one in told)

    @property
    def balanced(self) -> bool:
        """Whether every captured frame stands in exactly one account."""
        return self.captured == self.settled + self.in_flight

    def __add__(self, other: Ledger) -> Ledger:
        """The accounts of two stretches of one pipeline, taken together."""
        return Ledger(
            captured=self.captured + other.captured,
            inferred=self.inferred + other.inferred,
            filtered=_merged(self.filtered, other.filtered),
            gated=self.gated + other.gated,
            dropped=_merged(self.dropped, other.dropped),
            failed=_merged(self.failed, other.failed),
            lost=self.lost + other.lost,
            in_flight=self.in_flight + other.in_flight,
        )

    def closed_by_crash(self, captured: int) -> Ledger:
        """Close the accounts of a worker that died after capturing ``captured`` frames.

        What was neither settled nor reported is lost: in flight at its last report, or captured since. One
        that has settled more than it captured has lied, and lost nothing.
        """
        captured = max(captured, self.captured, self.settled)
        return replace(self, captured=captured, lost=self.lost + captured - self.settled, in_flight=0)

    def to_json(self) -> dict[str, Any]:
        """Give the counts under their field names."""
        return {
            "captured": self.captured,
            "inferred": self.inferred,
            "filtered": dict(self.filtered),
            "gated": self.gated,
            "dropped": dict(self.dropped),
            "failed": dict(self.failed),
            "lost": self.lost,
            "in_flight": self.in_flight,
        }


def _merged(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    """Add accounts up by their reasons; a worker that makes up others in each of its lives adds none."""
    new = [reason for reason in two if reason not in one]
    kept = {*one, *new[: max(0, MOST_REASONS - len(one))]}
    found: Counter[str] = Counter()
    for account in (one, two):
        for reason, count in account.items():
            found[reason if reason in kept else OTHER] += count
    return dict(sorted(found.items()))
