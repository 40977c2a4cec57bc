"""A probation: what a new model does with real frames, against what it may do. Pure; it is told the time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.histogram import percentile
from agent.pictures import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.documents.desired import Probation
    from agent.workers.record import Record

_RECENT = 2048
_FEW = 50
"""Inferences before their p95 is believed."""
_LEAST_MS = 5.0
"""A proof that took less promises this: below it a busy board makes more of the p95 than the model."""


def promised_ms(budget_ms: float | None, proved_ms: float) -> float:
    """Give the p95 that a model has promised: by its budget, else by its proof."""
    return budget_ms or max(proved_ms, _LEAST_MS)


@dataclass(slots=True)
class Answers:
    """What the answers to recent frames look like: told beside a change of models, for people to judge."""

    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def saw(self, records: Sequence[Record]) -> None:
        """Take in results; failed frames have no answer."""
        for record in records:
            if record.kind != "failed":
                self.recent.append((len(record.items), max(map(_score, record.items), default=0.0)))

    def told(self, when: str) -> dict[str, float]:
        """Items a frame, and the best score of a frame, on average; nothing where there was no frame."""
        if not self.recent:
            return {}
        count = len(self.recent)
        items, scores = (sum(column) / count for column in zip(*self.recent, strict=True))
        return {f"items_{when}": round(items, 3), f"top_score_{when}": round(scores, 4)}


class Trial:
    """The frames of one probation. Its terms are asked for each time: a newer desired state may change them.

    Args:
        limit_ms: the p95 that the model has promised, by its budget or its proof; None for no promise.
        began: when it served first, seconds of the monotonic clock.
    """

    def __init__(self, limit_ms: float | None, began: float) -> None:
        self._limit_ms = limit_ms
        self._infer_us: deque[int] = deque(maxlen=_RECENT)
        self.began = began
        self.good = self.failed = 0
        self.answers = Answers()

    def saw(self, records: Sequence[Record]) -> None:
        """Take in results and failures of the model on trial."""
        for record in records:
            if record.kind == "failed":
                # A camera's fault is no model's.
                self.failed += all(item.get("reason") not in FAULTS for item in record.items)
            else:
                self.good += 1
                self._infer_us.append(record.infer_us)
        self.answers.saw(records)

    @property
    def p95_ms(self) -> float:
        """The 95th percentile of the recent inferences, milliseconds; 0 before the first."""
        return percentile(self._infer_us, 0.95) / 1000 if self._infer_us else 0.0

    def problem(self, terms: Probation) -> str:
        """Why it has failed; "" when it has not."""
        frames = max(self.good, terms.frames) + self.failed
        if self.failed > terms.failed * frames:
            return f"{self.failed} of {self.good + self.failed} frames failed, and {terms.failed:.1%} may"
        enough = min(_FEW, terms.frames)
        limit_ms = math.inf if self._limit_ms is None else self._limit_ms * terms.slower
        if self.good >= enough and (p95 := self.p95_ms) > limit_ms:
            return f"the p95 of an inference is {p95:.1f} ms, and may be {limit_ms:.1f}"
        return ""

    def passed(self, terms: Probation, now: float) -> bool:
        """Whether there were frames enough, and time enough; only to be asked without a ``problem``."""
        return self.good >= terms.frames and now - self.began >= terms.seconds


def _score(item: dict[str, object]) -> float:
    score = item.get("score")
    return float(score) if isinstance(score, int | float) else 0.0
