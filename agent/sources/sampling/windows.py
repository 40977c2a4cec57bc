"""Cuts a stream of dated samples into windows of a fixed rate.

A stretch of samples without a gap is a run. Its first sample lies on the first point of a grid of 1/rate, in
whole nanoseconds; the points between two samples are interpolated linearly, channel by channel. There is no
low-pass filter: what a sensor measures above half the rate is aliased, as in any sampling. A gap ends the
run, and the window that was being filled is not given out but reported as broken; the next sample begins a
run with a grid of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import InputRejected

if TYPE_CHECKING:
    from agent.sources.sampling.cutting import Cutting
    from agent.types import Array

_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class Window:
    """Samples in a row: float32 (window, channels), and when the first and the last were, nanoseconds."""

    data: Array
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A window that was begun and cannot be finished, and why."""

    reason: str


class Windows:
    """The state of one stream.

    Args:
        cutting: length, hop, longest gap, normalisation.
        rate: points a second.
        channels: of a sample.

    Raises:
        InputRejected: ``mean`` or ``std`` are for another number of channels.
    """

    def __init__(self, cutting: Cutting, rate: float, channels: int) -> None:
        for name, given in (("mean", cutting.mean), ("std", cutting.std)):
            if len(given) not in (0, 1, channels):
                problem = f"{name} has {len(given)} numbers, and a sample has {channels} channels"
                raise InputRejected("normalise samples", name, problem, "Give one number, or one a channel")
        self._mean = np.array(cutting.mean or (0.0,))
        self._std = np.array(cutting.std or (1.0,))
        self._window, self._hop = cutting.window, cutting.step
        self._rate = rate
        self._longest_ns = round(cutting.bridged_s(rate) * _SECOND)
        self._channels = channels
        self._told = False
        self._begin()

    def _begin(self) -> None:
        """Forget the run."""
        self._origin: int | None = None
        self._last_ns = 0
        self._last = np.zeros(self._channels)
        self._points = np.empty((0, self._channels), np.float32)
        self._first = 0  # the point that _points begin with
        self._next = 0  # the point that the next window begins with

    def add(self, times: Array, values: Array) -> list[Window | Broken]:
        """Take samples, and give what they finish, in order.

        Args:
            times: int64 (n), nanoseconds on any clock. A sample with the time of the one before is
                left out; one that is older ends the run, like a gap.
            values: float64 (n, channels). A sample with a number that is not finite ends the run.
        """
        found: list[Window | Broken] = []
        sound: Array = np.asarray(np.isfinite(values).all(axis=1))
        before = times[:1] if self._origin is None else np.array([self._last_ns])
        steps = np.diff(times, prepend=before)
        breaks: Array = ~sound | (steps < 0) | (steps > self._longest_ns)
        cuts = [0, *np.flatnonzero(breaks).tolist(), len(times)]
        for begin, end in pairwise(cuts):
            if begin < len(times) and breaks[begin]:
                found += self.cut(_reason(bool(sound[begin]), int(steps[begin])))
            begun = begin if begin == end or sound[begin] else begin + 1
            if begun < end:
                found += self._extend(times[begun:end], values[begun:end])
        return found

    def cut(self, reason: str) -> list[Window | Broken]:
        """End the run. What follows at once on another end is the same trouble, and not told again."""
        told = self._told
        self._told = True
        self._begin()
        return [] if told else [Broken(reason)]

    def _extend(self, times: Array, values: Array) -> list[Window | Broken]:
        """Take samples of one run."""
        self._told = False
        if self._origin is None:
            self._origin, self._last_ns, self._last = int(times[0]), int(times[0]), values[0]
        fresh = np.diff(times, prepend=self._last_ns) > 0
        spent = np.concatenate([[self._last_ns], times[fresh]]) - self._origin
        levels = np.concatenate([self._last[None], values[fresh]])
        made = self._first + len(self._points)
        reached = int(spent[-1] * self._rate / _SECOND) + 1  # rounding decides on the last one
        grid = np.rint(np.arange(made, reached + 1) * (_SECOND / self._rate))
        grid = grid[grid <= spent[-1]]
        self._last_ns, self._last = int(spent[-1]) + self._origin, levels[-1]
        # Numbers beyond those of float32 become infinite; whoever uses the window refuses it.
        with np.errstate(over="ignore", invalid="ignore"):
            points = [np.interp(grid, spent, levels[:, one]) for one in range(self._channels)]
            scaled = ((np.stack(points, axis=1) - self._mean) / self._std).astype(np.float32)
        self._points = np.concatenate([self._points, scaled])
        return self._finished()

    def _finished(self) -> list[Window | Broken]:
        """Take the windows that are full, and forget what no other will hold."""
        found: list[Window | Broken] = []
        while self._next + self._window <= self._first + len(self._points):
            at = self._next - self._first
            data = np.array(self._points[at : at + self._window])
            found.append(Window(data, self._date(self._next), self._date(self._next + self._window - 1)))
            self._next += self._hop
        spent = min(self._next - self._first, len(self._points))
        self._points = self._points[spent:]
        self._first += spent
        return found

    def _date(self, point: int) -> int:
        return (self._origin or 0) + round(point * (_SECOND / self._rate))


def _reason(sound: bool, step_ns: int) -> str:  # noqa: FBT001 - what is known of one sample
    if not sound:
        return "a sample holds a number that is not finite"
    if step_ns < 0:
        return f"the samples' time went back by {-step_ns / _SECOND:.6g} s"
    return f"no sample for {step_ns / _SECOND:.6g} s"
