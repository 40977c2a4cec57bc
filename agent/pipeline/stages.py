"""Further models of a frame: on the whole of it, or on the crops of what the first model found in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agent.types import WHOLE, Box, Frame, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agent.pipeline.engine import Engine
    from agent.pipeline.slot import Item
    from agent.types import Array, Result

EVERY = "*"
"""Stands for every label."""


@dataclass(frozen=True, slots=True)
class Crops:
    """Which items' crops a stage is given.

    Attributes:
        labels: of the items; ``EVERY`` among them for all.
        most: how many of a frame, those that score highest.
        min_score: of an item.
        margin: by which share of its size a crop is larger than the box, on each side.
    """

    labels: frozenset[str]
    most: int
    min_score: float
    margin: float

    def chosen(self, items: Sequence[Mapping[str, Any]]) -> list[int]:
        """Give the positions of the items whose crops are wanted, the best first."""
        found = [
            number
            for number, item in enumerate(items)
            if "box" in item
            and (EVERY in self.labels or item.get("label") in self.labels)
            and item.get("score", 1.0) >= self.min_score
        ]
        return sorted(found, key=lambda number: -items[number].get("score", 1.0))[: self.most]

    def region(self, box: Sequence[float]) -> Box:
        """Give the part of the frame that is cut out for a box."""
        top, left, bottom, right = box
        high, wide = (bottom - top) * self.margin, (right - left) * self.margin
        return max(0.0, top - high), max(0.0, left - wide), min(1.0, bottom + high), min(1.0, right + wide)


@dataclass(frozen=True, slots=True)
class Stage:
    """A further model.

    Attributes:
        name: under which its results stand in ``also``: of the items, or of the frame.
        engine: the model; its first buffers are used. One with state is given whole frames only.
        crops: whose crops it is given; None for the whole frame.
    """

    name: str
    engine: Engine
    crops: Crops | None = None


class Staging:
    """Runs the stages, in order; each sees what those before it have found in the first model's items.

    Args:
        stages: of the pipeline.
        beat: notes the phase that begins. A stage counts as decoding: its inferences have the deadline of one
            that was never learned, as nobody knows how many crops a frame has.
    """

    reason = "stage"

    def __init__(self, stages: Sequence[Stage], beat: Callable[[Phase], None]) -> None:
        self._stages = stages
        self._beat = beat

    def __call__(self, item: Item, result: Result) -> Result:
        """Give the result with those of the stages.

        Raises:
            InputRejected: a stage's input or outputs say nothing; the frame fails as a whole.
        """
        if item.pixels is None:
            return result
        for stage in self._stages:
            result = self._run(stage, item, item.pixels, result)
        return result

    def _run(self, stage: Stage, item: Item, pixels: Array, result: Result) -> Result:
        if stage.crops is None:
            return replace(result, also={**result.also, stage.name: self._infer(stage, item, pixels, WHOLE)})
        items = list(result.items)
        for number in stage.crops.chosen(items):
            found = self._infer(stage, item, pixels, stage.crops.region(items[number]["box"]))
            items[number] = {**items[number], "also": {**items[number].get("also", {}), stage.name: found}}
        return replace(result, items=tuple(items))

    def _infer(self, stage: Stage, item: Item, pixels: Array, region: Box) -> dict[str, Any]:
        engine, info = stage.engine, replace(item.info, region=region)
        tensors = engine.buffers[0]
        self._beat(Phase.DECODE)
        began = time.monotonic_ns()
        engine.prepare(Frame(info.seq, info.captured_ns, pixels, info.origin), tensors, region)
        outputs = engine.infer(tensors, item.opening)
        took_us = (time.monotonic_ns() - began) // 1000
        found = engine.decoder.decode(outputs, info, tensors)
        return {"kind": found.kind, "items": found.items, "infer_us": took_us}

    def close(self) -> None:
        """Free the models. Idempotent."""
        for stage in self._stages:
            stage.engine.backend.close()

    def facts(self) -> Iterator[dict[str, Any]]:
        """Say which models the stages are, as messages tell it."""
        for stage in self._stages:
            facts = stage.engine.facts
            yield {"name": stage.name, **{key: facts[key] for key in ("model", "sha256", "bundle", "task")}}
