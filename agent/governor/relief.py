"""What each rung of the governor's ladders asks of a pipeline. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.config.tables import Measure

SMALL = "small"
"""The name of the variant that a bundle has for a board that is to do less."""


@dataclass(frozen=True, slots=True)
class Relief:
    """What pipelines are to do without.

    Attributes:
        share: of its own rate that a pipeline may have, above 0 and up to 1.
        threads: the most threads of an inference; 0 for as many as are configured.
        variant: the bundle's variant that is to serve, "" for the model itself.
        pause: whether pipelines of low priority take no frames.
    """

    share: float = 1.0
    threads: int = 0
    variant: str = ""
    pause: bool = False

    def __or__(self, other: Relief) -> Relief:
        """What both ask for, taken together."""
        wanted = [one for one in (self.threads, other.threads) if one]
        return Relief(
            min(self.share, other.share),
            min(wanted, default=0),
            self.variant or other.variant,
            self.pause or other.pause,
        )

    def __str__(self) -> str:
        """Say it in a few words: ``rate 25 %, 1 thread, small variant, low priority paused``."""
        said = [
            f"rate {self.share:.0%}".replace("%", " %") if self.share < 1 else "",
            f"{self.threads} thread{'s' * (self.threads > 1)}" if self.threads else "",
            f"{self.variant} variant" if self.variant else "",
            "low priority paused" if self.pause else "",
        ]
        return ", ".join(one for one in said if one) or "nothing held back"


def rungs(measures: Iterable[Measure], rates: Iterable[float]) -> tuple[Relief, ...]:
    """Give what each rung asks for, the ground first; a rung asks for all that is below it, too.

    Args:
        measures: in the order in which they are taken.
        rates: the shares that "rate" goes through, a rung each.
    """
    steps = [Relief()]
    for measure in measures:
        match measure:
            case "rate":
                steps += [Relief(share=share) for share in rates]
            case "threads":
                steps.append(Relief(threads=1))
            case "variant":
                steps.append(Relief(variant=SMALL))
            case "pause":
                steps.append(Relief(pause=True))
    return tuple(accumulate(steps, lambda one, two: one | two))
