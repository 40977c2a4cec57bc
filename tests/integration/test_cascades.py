"""Further models of a frame: a detector's crops feed a classifier, and two models see one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.config.pipelines import Stage
from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators import tiny_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.workers.record import Record

KNOWN_TO_BOTH = {"cross", "star", "triangle"}
"""Shapes that the detector finds and the classifier knows."""
CONFIG = """
[[pipelines]]
name = "door"
model = "shapes"
source = { kind = "synthetic", scene = "shapes" }
"""


def records(*stages: Stage, frames: int = 40, confine: bool = True) -> list[Record]:
    spec = LaneSpec(
        pipeline="door",
        model="shapes",
        backend_options={"runtime": runtimes.CHOSEN},
        stages=stages,
        source="synthetic",
        source_options={"scene": "shapes", "frames": frames, "fps": 0, "seed": 4, "blur": 0},
        once=True,
        confine=confine,
    )
    return [record for batch in Foreground(spec, Deadlines()).run() for record in batch]


def test_what_a_detector_finds_is_cut_out_for_a_classifier_which_agrees() -> None:
    glyph = Stage(name="glyph", model="glyphs", crops=tuple(KNOWN_TO_BOTH), margin=0.3)
    items = [item for record in records(glyph) for item in record.items]
    said = [(item["label"], item["also"]["glyph"]["items"][0]["label"]) for item in items if "also" in item]
    assert {label for label, _ in said} <= KNOWN_TO_BOTH
    assert len(said) > 30
    assert sum(one == other for one, other in said) > 0.9 * len(said)
    assert all("also" not in item for item in items if item["label"] not in KNOWN_TO_BOTH)


def test_several_models_see_one_frame_and_their_results_stand_side_by_side() -> None:
    found = records(Stage(name="whole", model="glyphs"), Stage(name="raw", model="glyphs", task="tensor"))
    assert len(found) == 40
    for record in found:
        assert record.kind == "detection"
        assert record.also["whole"]["kind"] == "classification"
        assert record.also["raw"]["kind"] == "tensor"
        best, raw = record.also["whole"]["items"][0], record.also["raw"]["items"][0]
        assert (best["index"], best["score"]) == (raw["argmax"], pytest.approx(raw["max"], abs=1e-6))


def test_a_confined_stage_reads_the_gallery_that_its_options_name(tmp_path: Path) -> None:
    np.save(tmp_path / "gallery.npy", np.eye(10))
    options = {"gallery": str(tmp_path / "gallery.npy")}
    like = Stage(name="like", model="glyphs", task="embedding", decoder=options)
    (record,) = records(like, frames=1)
    assert record.also["like"]["items"][0].keys() == {"label", "index", "score", "distance"}


def test_a_stage_that_cannot_be_loaded_is_named_with_its_line(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    config = tmp_path / "agent.toml"
    stage = '[[pipelines.stages]]\nname = "plate"\nmodel = "glyphs"\ndecoder = { top = 1 }\n'
    config.write_text(CONFIG + stage)
    code, _, said = run("check", "--config", config)
    assert code == 78
    assert f"{config}:9: pipelines.0.stages.0.decoder.top: there is no such key" in said
    config.write_text(CONFIG + stage.replace('"glyphs"\ndecoder = { top = 1 }', '"none.tflite"'))
    code, _, said = run("check", "--config", config)
    assert code == 78
    assert "none.tflite" in said


def test_two_stages_of_one_name_are_refused(tmp_path: Path, run: Callable[..., Any]) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG + 2 * '[[pipelines.stages]]\nname = "plate"\nmodel = "glyphs"\n')
    code, _, said = run("check", "--config", config)
    assert code == 78
    assert f"{config}:10: pipelines.0.stages.1.name: another stage is named 'plate', too" in said


def test_a_confined_worker_may_read_the_model_of_a_stage_wherever_it_stands(tmp_path: Path) -> None:
    model = tmp_path / "elsewhere.tflite"
    model.write_bytes(tiny_models.echo("float32", (1, 8, 8, 3)))
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\n")
    stage = Stage(name="more", model=str(model), labels=str(labels), task="tensor")
    assert [record.also["more"]["kind"] for record in records(stage, frames=2)] == ["tensor"] * 2
