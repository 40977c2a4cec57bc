"""What a pipeline may say of how input is prepared, and of which models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import resources
from agent.manifest import Pre
from agent.preparing import pre_of
from agent.workers import engines
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from pathlib import Path

PRE = {"normalise": {"kind": "zscore"}}


def spec(model: Path, **more: Any) -> LaneSpec:
    return LaneSpec(pipeline="x", model=str(model), source="synthetic_sensor", **more)


def test_a_model_without_a_manifest_is_prepared_for_as_the_pipeline_says() -> None:
    bare = resources.bundled_models()["vibration"] / "vibration.tflite"
    assert engines.model_of(spec(bare)).pre == Pre()
    assert engines.model_of(spec(bare, pre=PRE)).pre == pre_of(PRE)


def test_what_a_manifest_says_stands_whatever_the_pipeline_says() -> None:
    bundle = resources.bundled_models()["vibration"]
    assert engines.model_of(spec(bundle, pre=PRE)).pre == Pre()
