"""Classes: leaves out items by label, score or size; narrows a model without touching its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.filters._items import boxes_of, going_on, label_of, labels_of, scores_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.filters._items import Item
    from agent.types import Array, FrameInfo, Result

Share = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """Which items stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    only: tuple[str, ...] = Field(default=(), description="the labels that stay; all without any")
    without: tuple[str, ...] = Field(default=(), description="labels that are left out")
    min_score: dict[str, Share] = Field(
        default_factory=dict,
        description="by label: leave out items below this score; `*`: of all other labels",
    )
    min_area: float = Field(
        default=0.0, ge=0, le=1, description="leave out boxes that are a smaller share of the frame"
    )
    max_area: float = Field(
        default=1.0, ge=0, le=1, description="leave out boxes that are a larger share of the frame"
    )


def build(options: Options) -> Classes:
    """Make the filter."""
    return Classes(options)


class Classes:
    """Implements ``Filter``. Items without a label, a score or a box are not judged by it."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def apply(self, result: Result, frame: FrameInfo) -> Result:  # noqa: ARG002 - the seam has it
        """Leave out what is not wanted.

        Raises:
            InputRejected: a box or a score is none.
        """
        stays = self._large_enough(result.items)
        if self._options.min_score:
            stays &= scores_of("classes", result.items) >= self._least_scores(result.items)
        items = [item for item, stay in zip(result.items, stays.tolist(), strict=True) if stay]
        return going_on(result, [item for item in items if self._named(label_of(item))])

    def _large_enough(self, items: Sequence[Item]) -> Array:
        stays = np.ones(len(items), bool)
        if self._options.min_area > 0 or self._options.max_area < 1:
            where, boxes = boxes_of("classes", items)
            areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
            stays[where] = (areas >= self._options.min_area) & (areas <= self._options.max_area)
        return stays

    def _least_scores(self, items: Sequence[Item]) -> Array:
        others = self._options.min_score.get("*", 0.0)
        least = self._options.min_score
        return np.array([0.0 if one is None else least.get(one, others) for one in labels_of(items)])

    def _named(self, label: str | None) -> bool:
        if label is None:
            return True
        return label not in self._options.without and (not self._options.only or label in self._options.only)
