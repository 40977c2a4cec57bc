"""Whose work an accelerator's process does: its CPU time, shared by the answers that pipelines had of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.recovery.life import Life


class Sharing:
    """The CPU time of one accelerator, over all lives of its process.

    What it uses between two looks goes to those that it has answered meanwhile, by their answers. What nobody
    had an answer for, such as opening the device or loading a model, goes to the next.
    """

    def __init__(self) -> None:
        self._number = 0
        self._before_s = self._open_s = 0.0
        self._answers: Counter[str] = Counter()
        self._had_s: defaultdict[str, float] = defaultdict(float)

    def answered(self, pipeline: str, count: int) -> None:
        """A pipeline had so many answers of it."""
        self._answers[pipeline] += count

    def look(self, life: Life | None) -> None:
        """Take in what the process has used by now; of one that has ended, what was seen last counts."""
        if life is not None:
            if life.number != self._number:
                self._number, self._before_s = life.number, 0.0
            cpu_s = life.process.usage.cpu_seconds()
            if cpu_s is not None:
                self._open_s += max(0.0, cpu_s - self._before_s)
                self._before_s = cpu_s
        if whole := self._answers.total():
            for pipeline, count in self._answers.items():
                self._had_s[pipeline] += self._open_s * count / whole
            self._open_s = 0.0
            self._answers.clear()

    def of(self, pipeline: str) -> float:
        """Give the CPU seconds that a pipeline has had of it; they only grow."""
        return self._had_s[pipeline]
