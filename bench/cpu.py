"""CPU time of processes, sampled from outside while they run, so that start-up can be told from work."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

_PERIOD_S = 0.02
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class CpuSampler:
    """Samples a process and all below it until it ends.

    Args:
        pid: the top process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._samples: list[tuple[int, int]] = []
        self._known: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            for pid in _family(self._pid):
                spent = _spent_ns(pid)
                if spent is not None:
                    self._known[pid] = spent
            self._samples.append((time.monotonic_ns(), sum(self._known.values())))

    def between(self, begin_ns: int, end_ns: int) -> float:
        """Give the CPU seconds spent between two moments of CLOCK_MONOTONIC."""
        return (self._at(end_ns) - self._at(begin_ns)) / 1e9

    def _at(self, moment_ns: int) -> float:
        """Interpolate between the samples around a moment."""
        before = self._samples[0]
        for sample in self._samples:
            if sample[0] >= moment_ns:
                span = sample[0] - before[0]
                share = (moment_ns - before[0]) / span if span else 0.0
                return before[1] + share * (sample[1] - before[1])
            before = sample
        return float(before[1])


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        try:
            text = Path(f"/proc/{member}/task/{member}/children").read_text(encoding="ascii")
        except OSError:
            continue  # it has just ended
        members.extend(map(int, text.split()))
    return members


def _spent_ns(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None  # it has just ended; what it had spent stays counted
    return (int(fields[11]) + int(fields[12])) * _TICK_NS
