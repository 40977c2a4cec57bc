"""The options of ``detection``, apart from it because its heads read them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.decoders.heads.anchors import Anchors

Scale = Annotated[float, Field(gt=0, le=10_000)]


class Options(BaseModel):
    """Which detections are reported, and what the outputs mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(default=0.4, ge=0, le=1, description="leave out detections below this score")
    max_items: int = Field(default=25, ge=1, le=200, description="how many at most, best first")
    iou: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="leave out what a better one of its class overlaps by more than this; not ssd, yolov10",
    )
    class_agnostic: bool = Field(
        default=False, description="leave out what a better one of any class overlaps by more than iou"
    )
    head: Literal["auto", "ssd", "centers", "ssd_raw", "efficientdet", "yolov5", "yolov8", "yolov10"] = Field(
        default="auto", description="what the outputs mean; auto tells it by their shapes"
    )
    coordinates: Literal["auto", "pixels", "shares"] = Field(
        default="auto", description="yolov5, yolov8, yolov10: unit of the boxes; auto tells it by the numbers"
    )
    activation: Literal["none", "sigmoid", "softmax"] = Field(
        default="sigmoid", description="ssd_raw, efficientdet: what turns the outputs into scores"
    )
    background: bool = Field(
        default=True,
        description="ssd_raw: the first of several classes is the background, and is not counted",
    )
    encoding: Literal["ssd", "blazeface"] = Field(
        default="ssd", description="ssd_raw: what the numbers of a box mean"
    )
    scales: tuple[Scale, Scale, Scale, Scale] | None = Field(
        default=None,
        description="ssd_raw: what y, x, height and width were multiplied by; as the encoding has it",
    )
    anchors: Anchors = Field(default=Anchors(), description="how the anchors are made")
