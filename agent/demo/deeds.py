"""What was done to the demo's models, and what became of it by the records and by the device's folder."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.demo.rollouts import Act, Refusal
    from agent.demo.served import Served

_WIDTH = 68


@dataclass(frozen=True, slots=True)
class Deeds:
    """What was done.

    Attributes:
        broker_cuts: how often the broker was cut.
        outcomes: whether it came to a good end; what was not done, or was broken off, is not there.
        refusals: what the device has refused, and why.
        stored: the digests of the bundles that lie in the device's folder.
    """

    broker_cuts: int = 0
    outcomes: Mapping[Act, bool] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()
    stored: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ModelAccount:
    """Which models have served the first pipeline; None is what was not seen.

    Attributes:
        model_before: whose the first record is.
        model_after: whose the last record is.
        rolled_out: whether the better model was rolled out, and serves by the records, too.
        frames_lost_in_swap: frames without a record between the last one of the old model and the first one
            of the new one.
        tampered_refused: whether the device said why it does not take what was tampered with, none of that
            became a bundle on the device, and no record is of it.
        tampered_reason: the device's words.
    """

    model_before: str | None
    model_after: str | None
    rolled_out: bool | None
    frames_lost_in_swap: int | None
    tampered_refused: bool | None
    tampered_reason: str | None

    @classmethod
    def of(cls, served: Served, deeds: Deeds) -> Self:
        """Compare what was done with the records."""
        rolled_out = deeds.outcomes.get("rolled out")
        refused = deeds.outcomes.get("refused")
        tampered = {one.digest for one in deeds.refusals}
        clean = tampered.isdisjoint(deeds.stored | served.bundles)
        return cls(
            model_before=served.before,
            model_after=served.after,
            rolled_out=rolled_out and served.before != served.after,
            frames_lost_in_swap=served.lost,
            tampered_refused=refused and clean,
            tampered_reason=deeds.refusals[-1].reason if deeds.refusals else None,
        )

    @property
    def good(self) -> bool:
        """Whether nothing that was done went wrong; what was not done cannot."""
        wrong = self.rolled_out is False or self.tampered_refused is False
        return not wrong and not (self.rolled_out and self.frames_lost_in_swap != 0)

    def lines(self) -> list[tuple[str, str]]:
        """What a person reads of it, each line with what stands before it."""
        rows = []
        if self.frames_lost_in_swap is not None:
            models = f"{self.model_before}, then {self.model_after}"
            rows.append(("models", f"{models}: {self.frames_lost_in_swap} frames lost in the swap"))
        elif self.rolled_out is False:
            rows.append(("models", f"{self.model_after} serves still: the better one did not come to serve"))
        if self.tampered_refused is False:
            rows.append(("tampered", "what was tampered with was NOT refused"))
        if self.tampered_reason is not None:
            said = f"refused; the device says: {self.tampered_reason}"
            rows += [("" if at else "tampered", line) for at, line in enumerate(textwrap.wrap(said, _WIDTH))]
        return rows
