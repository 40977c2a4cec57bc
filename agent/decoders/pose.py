"""Pose: people and their keypoints, from whichever of the layouts in ``_layouts`` the model has.

The score of a person is the model's own, or the mean of its keypoints' scores. Its box is that of the
keypoints that score at least ``min_score``; where these span no area there is nobody. Keypoints with a number
that is NaN or infinite are left out; a frame without a finite one is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders import _layouts
from agent.decoders._fit import garbage, is_number, misfit
from agent.decoders._scores import Activation
from agent.errors import ModelInvalid
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders._layouts import Layout, People
    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature

COCO = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee",
    "left ankle", "right ankle",
)  # fmt: skip
"""The keypoints of COCO, in its order (cocodataset.org/#keypoints-2020); MoveNet and PoseNet give these."""
_MOST_KEYPOINTS = 256
_MOST_TOGETHER = 500
"""How many keypoints a result holds at most: it crosses a socket that takes 64 KiB."""
_DIGITS = 6


class Options(BaseModel):
    """Who is reported, and what keypoints are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(
        default=0.3, ge=0, le=1, description="keypoints below this score are no part of the person's box"
    )
    min_person: float = Field(default=0.2, ge=0, le=1, description="leave out people below this score")
    max_items: int = Field(default=10, ge=1, le=50, description="how many people at most, best first")
    keypoints: tuple[str, ...] = Field(
        default=(), max_length=_MOST_KEYPOINTS, description="the keypoints' names, in the model's order"
    )
    activation: Activation = Field(
        default="auto", description="what turns heatmaps into scores; other layouts give scores"
    )


def build(options: Options, signature: Signature, labels: Labels) -> PoseDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: the outputs are no layout that is known, or the names are not as many as the keypoints.
    """
    inputs, outputs = signature.inputs, signature.outputs
    fits = all(is_number(spec) for spec in outputs)
    layout = _layouts.find(inputs, outputs, options.activation) if fits else None
    if layout is None or layout.keypoints > _MOST_KEYPOINTS:
        raise misfit("pose", _layouts.WANTED, outputs)
    return PoseDecoder(options, layout, _names(options.keypoints or labels.names, layout.keypoints))


def _names(given: tuple[str, ...], count: int) -> tuple[str, ...]:
    if not given:
        return COCO if count == len(COCO) else tuple(f"keypoint {index}" for index in range(count))
    if len(given) != count:
        raise ModelInvalid(
            "decode as",
            "pose",
            f"there are {len(given)} names for {count} keypoints",
            "Give one a keypoint as labels or as the option keypoints, or none",
        )
    return given


class PoseDecoder:
    """Items are people, the best first: {"label", "index", "score", "box", "keypoints"}.

    The label is "person", the index 0. ``keypoints`` are {"label", "index", "point": [y, x], "score"} in the
    model's order, those that score little, too.
    """

    def __init__(self, options: Options, layout: Layout, names: tuple[str, ...]) -> None:
        self._options = options
        self._layout = layout
        self._names = names
        self._most = max(1, min(options.max_items, _MOST_TOGETHER // layout.keypoints))

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's outputs.

        Raises:
            InputRejected: no keypoint has finite numbers.
        """
        found = self._layout.people(outputs)
        known = np.isfinite(found.points).all(axis=2) & np.isfinite(found.scores)
        if not known.any():
            problem = f"none of its {known.size} keypoints has finite numbers"
            raise garbage("pose", problem)
        points = _rounded(np.where(known[..., np.newaxis], found.points, 0))
        scores = _rounded(np.where(known, found.scores, 0))
        seen = known & (scores >= self._options.min_score)
        low = np.where(seen[..., np.newaxis], points, 1).min(axis=1)
        high = np.where(seen[..., np.newaxis], points, 0).max(axis=1)
        sure = _rounded(_sure(found, known, scores))
        good = (low < high).all(axis=1) & (sure >= self._options.min_person)
        people = [at for at in np.argsort(-sure, kind="stable").tolist() if good[at]][: self._most]
        return Result(
            "pose",
            tuple(
                {
                    "label": "person",
                    "index": 0,
                    "score": sure.item(at),
                    "box": [*low[at].tolist(), *high[at].tolist()],
                    "keypoints": self._keypoints(points[at], scores[at], known[at]),
                }
                for at in people
            ),
        )

    def _keypoints(self, points: Array, scores: Array, known: Array) -> list[dict[str, Any]]:
        rows = zip(self._names, points.tolist(), scores.tolist(), known.tolist(), strict=True)
        return [
            {"label": name, "index": index, "point": point, "score": score}
            for index, (name, point, score, there) in enumerate(rows)
            if there
        ]


def _sure(found: People, known: Array, scores: Array) -> Array:
    """Give each person's score; NaN where the model's own is not finite."""
    if found.sure is None:
        means: Array = scores.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return means
    return np.where(np.isfinite(found.sure), found.sure, np.nan)


def _rounded(values: Array) -> Array:
    """Clip to [0, 1], in digits that JSON shows: float64, and no -0.0."""
    rounded: Array = values.astype(np.float64).clip(0, 1).round(_DIGITS) + 0.0
    return rounded
