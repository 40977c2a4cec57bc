"""What a pipeline may say of how input is prepared, and of which models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from agent import resources
from agent.config.preparing import pre_of
from agent.manifest import Pre
from agent.types import Phase
from agent.workers.program import engines
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec
from models import speller
from tests.simulators import described_models, tiny_models

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


def described(path: Path, model: bytes) -> Path:
    """Write a model whose metadata calls its outputs, and has a threshold of 0.25."""
    path.write_bytes(described_models.described(described_models.whole(), model))
    return path


def test_a_threshold_in_the_model_is_the_decoders_unless_it_is_told_another(tmp_path: Path) -> None:
    path = described(tmp_path / "m.tflite", tiny_models.echo("float32", (1, 4)))
    found = []
    for decoder in ({}, {"min_score": 0.05}):
        told = spec(path, task="classification", decoder=decoder)
        model = engines.model_of(told)
        tryout = Tryout(engines.engine(told, model, engines.backend_of(told, model)))
        found.append([item["score"] for item in tryout.items(np.array([0.5, 0.3, 0.1, 0.1]))])
    assert found == [[0.5, 0.3], pytest.approx([0.5, 0.3, 0.1, 0.1])]


def test_a_decoder_without_a_threshold_is_told_none(tmp_path: Path) -> None:
    path = described(tmp_path / "m.tflite", tiny_models.echo("float32", (1, 4)))
    told = spec(path, task="tensor")
    model = engines.model_of(told)
    assert model.said.min_score == 0.25
    assert Tryout(engines.engine(told, model, engines.backend_of(told, model))).items(np.zeros(4))


def test_outputs_without_a_signature_are_found_by_the_names_of_the_metadata(tmp_path: Path) -> None:
    halves = schema.UnpackOptionsT()
    halves.num, halves.axis = 2, 0
    sides = (
        [tiny_models.Tensor("x", "float32", (2, 3))],
        [tiny_models.Tensor(name, "float32", (3,)) for name in ("a", "b")],
    )
    options = (schema.BuiltinOptions.UnpackOptions, halves)
    path = described(tmp_path / "m.tflite", tiny_models.build(*sides, "UNPACK", options=options))
    told = spec(path, task="tensor", decoder={"outputs": {"all": "faces"}})
    model = engines.model_of(told)
    tryout = Tryout(engines.engine(told, model, engines.backend_of(told, model)))
    (item,) = tryout.items(np.array([[1.0, 2, 3], [4, 5, 6]]))
    assert (item["name"], item["values"]) == ("b", [4, 5, 6])


def test_each_token_of_a_sequence_is_an_inference_for_the_watchdog(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(speller.speller())
    beats: list[Phase] = []
    told = spec(path, task="sequence", decoder={"max_tokens": 3})
    backend = engines.make(told, beat=beats.append).backend
    assert beats == []
    backend.infer((np.array([[speller.THE, -1, -1, -1]], np.int32),))
    assert beats == [Phase.INVOKE] * 3
    backend.close()
