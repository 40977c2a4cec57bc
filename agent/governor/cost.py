"""What a pipeline's requests cost: CPU time, bytes and energy for a thousand, of the last ten minutes.

    CPU-seconds  = its workers' CPU time (and its share of an accelerator's process)
    bytes        = all that was sent upstream (flash: written) x its bytes of results / all pipelines' bytes
    joules       = what the board used x its CPU time / the CPU time of all that ran on the board

each divided by its inferences and times 1,000. Sharing energy by CPU time gives each its part of what the
board draws when it rests, too; what an accelerator draws goes to whoever computes beside it.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.governor import readings
from agent.metrics import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.workers.lane import Lane
    from agent.workers.run import Run

_WINDOW_S = 600.0
_STEP_S = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")
_BUSY = (0, 1, 2, 5, 6)
"""Of the first line of /proc/stat (proc(5)): user, nice, system, irq, softirq."""


@dataclass(slots=True)
class Account:
    """What one pipeline has used since the agent's start, over all its workers."""

    lane: Lane
    run: Run | None = None
    cpu_s: float = 0.0
    told: int = 0
    _cpu_before: float = 0.0
    _told_before: int = 0

    def look(self) -> None:
        """Take in what its worker has used by now; of one that has died, what was seen last counts."""
        run = self.lane.run
        if run is None:
            return
        if run is not self.run:
            self.run, self._cpu_before, self._told_before = run, 0.0, 0
        cpu_s = run.process.usage.cpu_seconds()
        if cpu_s is not None:
            self.cpu_s += max(0.0, cpu_s - self._cpu_before)
            self._cpu_before = cpu_s
        self.told += run.received - self._told_before
        self._told_before = run.received


@dataclass(frozen=True, slots=True)
class Totals:
    """What all pipelines together have used; it only grows.

    Attributes:
        upstream: bytes of results and alerts that were published.
        flash: bytes that were written to storage.
        joules: that the board used; None where nothing measures it.
    """

    upstream: int
    flash: int
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    totals: Totals
    busy_s: float | None
    cpu_s: tuple[float, ...]
    told: tuple[int, ...]
    inferred: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a thousand requests cost; None where that is not known, or nothing was inferred."""

    cpu_s: float | None = None
    upstream: float | None = None
    flash: float | None = None
    joules: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names of their metrics."""
        return {
            "cpu_seconds_per_1000_inferences": self.cpu_s,
            "upstream_bytes_per_1000_results": self.upstream,
            "flash_bytes_per_1000_results": self.flash,
            "joules_per_1000_inferences": self.joules,
        }

    def numbers(self) -> Iterator[dict[str, Any]]:
        """Give the metrics; what is not known is absent."""
        for name, value in self.to_json().items():
            if value is not None:
                yield number(name, value)


class Costs:
    """Keeps the accounts of all pipelines.

    Args:
        lanes: the pipelines'.
        shared: gives the CPU seconds that a pipeline has had of processes which it shares, since the start.
        root: the folder that stands for "/".
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        shared: Callable[[str], float] = lambda _: 0.0,
        root: Path | None = None,
    ) -> None:
        self._accounts = [Account(lane) for lane in lanes]
        self._shared = shared
        self._stat = (root or readings.ROOT) / "proc/stat"
        self._marks: deque[_Mark] = deque()
        self._newest: _Mark | None = None

    def tick(self, now: float, totals: Totals) -> None:
        """Take in where everything stands."""
        for account in self._accounts:
            account.look()
        self._newest = _Mark(
            now,
            totals,
            self._busy_s(),
            tuple(one.cpu_s + self._shared(one.lane.name) for one in self._accounts),
            tuple(one.told for one in self._accounts),
            tuple(one.lane.ledger.inferred for one in self._accounts),
        )
        if not self._marks or now - self._marks[-1].at >= _STEP_S:
            self._marks.append(self._newest)
        while len(self._marks) > 1 and now - self._marks[1].at >= _WINDOW_S:
            self._marks.popleft()

    def of(self, pipeline: str) -> Cost:
        """Give what a thousand of the pipeline's requests cost lately."""
        names = [one.lane.name for one in self._accounts]
        if self._newest is None or pipeline not in names:
            return Cost()
        return _between(self._marks[0], self._newest, names.index(pipeline))

    def _busy_s(self) -> float | None:
        """CPU time of everything that ran on this machine, seconds."""
        head, *fields = readings.text(self._stat).partition("\n")[0].split() or [""]
        ticks = [count for field in fields if (count := readings.count(field)) is not None]
        if head != "cpu" or len(fields) <= max(_BUSY) or len(ticks) != len(fields):
            return None
        return sum(ticks[at] for at in _BUSY) / _TICKS


def _between(first: _Mark, last: _Mark, at: int) -> Cost:
    inferred = last.inferred[at] - first.inferred[at]
    if inferred <= 0:
        return Cost()
    cpu_s = last.cpu_s[at] - first.cpu_s[at]
    told = sum(last.told) - sum(first.told)
    part = (last.told[at] - first.told[at]) / told if told else 0.0
    before, after = first.totals, last.totals
    return Cost(
        cpu_s=_per_1000(cpu_s, inferred),
        upstream=_per_1000((after.upstream - before.upstream) * part, inferred),
        flash=_per_1000((after.flash - before.flash) * part, inferred),
        joules=_per_1000(joules, inferred) if (joules := _joules(first, last, cpu_s)) is not None else None,
    )


def _joules(first: _Mark, last: _Mark, cpu_s: float) -> float | None:
    before, after = first.totals.joules, last.totals.joules
    if before is None or after is None or first.busy_s is None or last.busy_s is None:
        return None
    busy_s = last.busy_s - first.busy_s
    return (after - before) * min(1.0, cpu_s / busy_s) if busy_s > 0 else None


def _per_1000(amount: float, count: int) -> float:
    return round(max(0.0, amount) * 1000 / count, 3)
