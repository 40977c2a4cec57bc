"""How long each stage of a worker took, counted by the infer thread alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.histogram import Histogram

if TYPE_CHECKING:
    from agent.pipeline.slot import Item

_MOST_BUCKETS = 2000
"""Told at once: so many fit a packet, each with a count of ten digits."""
_MOST_WAITING = 8192


class Timings:
    """Histograms of the frames that were inferred and decoded, since they were last taken.

    ``capture_wait`` goes from the capture to the start of the preprocessing, ``queue`` from its end to the
    inference, ``total`` from the capture until the record has left the worker. ``send`` is of each packet.
    """

    def __init__(self) -> None:
        self._stages: dict[str, Histogram] = {}
        self._captured: list[int] = []

    def frame(self, item: Item, began_ns: int, inferred_ns: int, decoded_ns: int) -> None:
        """Count a frame whose inference began, ended, and was decoded, at these nanoseconds."""
        stages = (
            ("capture_wait", item.began_ns - item.info.captured_ns),
            ("preprocess", item.ready_ns - item.began_ns),
            ("queue", began_ns - item.ready_ns),
            ("infer", inferred_ns - began_ns),
            ("decode", decoded_ns - inferred_ns),
        )
        for name, ns in stages:
            self._add(name, ns)
        if len(self._captured) < _MOST_WAITING:
            self._captured.append(item.info.captured_ns)

    def sent(self, began_ns: int, ended_ns: int) -> None:
        """Count the packet that took all frames so far with it."""
        self._add("send", ended_ns - began_ns)
        for captured_ns in self._captured:
            self._add("total", ended_ns - captured_ns)
        self._captured.clear()

    def take(self) -> dict[str, Histogram]:
        """Give what fits a packet, and count anew; what does not fit is given the next time."""
        taken: dict[str, Histogram] = {}
        room = _MOST_BUCKETS
        for name in list(self._stages):
            room -= len(self._stages[name].buckets)
            if room < 0:
                break
            taken[name] = self._stages.pop(name)
        return taken

    def _add(self, name: str, ns: int) -> None:
        histogram = self._stages.get(name)
        if histogram is None:
            histogram = self._stages[name] = Histogram()
        histogram.add(ns)
