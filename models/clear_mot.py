"""How good a tracker is: the counts of CLEAR MOT (K. Bernardin, R. Stiefelhagen, EURASIP JIVP 2008)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.metrics import overlap

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from models.metrics import Box


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of one frame, by what it is called in all frames.

    Attributes:
        label: what it is; only things of one label are paired.
        box: where.
        difficult: not finding it is no miss; finding it is no false alarm.
    """

    label: str
    box: Box
    difficult: bool = False


@dataclass(slots=True)
class Mot:
    """Counts over all frames so far.

    Attributes:
        iou: the least overlap of a pair.
        objects: things that are there and not difficult, frame by frame.
        matches: pairs.
        misses: objects without a pair.
        alarms: what was found without a pair.
        switches: pairs of a thing whose partner was another one the last time that it had one.
    """

    iou: float = 0.5
    objects: int = 0
    matches: int = 0
    misses: int = 0
    alarms: int = 0
    switches: int = 0
    _pairs: dict[Hashable, Hashable] = field(default_factory=dict)
    _partners: dict[Hashable, Hashable] = field(default_factory=dict)

    @property
    def mota(self) -> float:
        """1 minus the share of errors of all three kinds in the objects."""
        return (
            1 - (self.misses + self.alarms + self.switches) / self.objects if self.objects else float("nan")
        )

    def frame(self, wanted: Mapping[Hashable, Thing], found: Mapping[Hashable, Thing]) -> None:
        """Take in a frame: what is there, and what was found, each by its identity.

        Pairs of the frame before are kept as long as they overlap enough; others are made so that the sum of
        overlaps is the greatest.
        """
        pairs = {
            one: other
            for one, other in self._pairs.items()
            if one in wanted and other in found and self._overlap(wanted[one], found[other]) > 0
        }
        left = [one for one in wanted if one not in pairs]
        taken = set(pairs.values())
        free = [other for other in found if other not in taken]
        shares = np.array([[self._overlap(wanted[a], found[b]) for b in free] for a in left])
        if shares.size:
            for row, column in zip(*linear_sum_assignment(shares, maximize=True), strict=True):
                if shares[row, column] > 0:
                    one, other = left[row], free[column]
                    pairs[one] = other
                    self.switches += self._partners.get(one, other) != other
        self._pairs = pairs
        self._partners |= pairs
        self.objects += sum(not one.difficult for one in wanted.values())
        self.matches += len(pairs)
        self.misses += sum(not thing.difficult for one, thing in wanted.items() if one not in pairs)
        self.alarms += len(found) - len(pairs)

    def _overlap(self, one: Thing, other: Thing) -> float:
        share = overlap(one.box, other.box) if one.label == other.label else 0.0
        return share if share >= self.iou else 0.0
