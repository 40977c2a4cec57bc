"""Real public models on real pictures: load, preprocess, infer, decode."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent import plugins
from agent.backends import tflite
from agent.bundles.load import load
from agent.errors import ModelInvalid
from agent.labels import Labels
from agent.pipeline.preprocess import Preprocessor
from agent.sources import images
from agent.types import Frame, FrameInfo, Signature
from tests import runtimes

if TYPE_CHECKING:
    from pathlib import Path

    from agent.bundles.load import LoadedModel
    from agent.types import Array

pytestmark = pytest.mark.shared

MOBILENETS = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.25_224_quant",
    "mobilenet_v2_1.0_224_quant",
]
COCO = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29"
# Operators that a runtime on the CPU lacks, or parameters that it refuses.
UNLOADABLE = {
    "mobilenet_v1_0.25_128_quant_edgetpu": "compiled for the Edge TPU",
    "person_detect": "have a quantized_dimension that this runtime refuses",
    "audio_preprocessor_int8": "custom operator SignalWindow",
    "model_invoking_error": "custom operator fake-op-double",
}


def run(
    model: LoadedModel,
    task: str,
    data: Array,
    *,
    xnnpack: bool = True,
    files: dict[str, bytes] | None = None,
    **options: Any,
) -> list[Any]:
    backend = tflite.build(runtimes.options(tflite.Options, xnnpack=xnnpack), model.data, model.name)
    decoders = plugins.load("decoders", task)
    decoder = decoders.build(
        decoders.Options(**options),
        Signature(backend.inputs, backend.outputs),
        model.labels,
        *([files] if files else []),
    )
    buffer = np.zeros(backend.inputs[0].shape, backend.inputs[0].dtype)
    Preprocessor(backend.inputs[0], model.pre)(Frame(0, 0, data), buffer)
    info = FrameInfo(0, 0, data.shape[0], data.shape[1])
    result = decoder.decode(backend.infer([buffer]), info, [buffer])
    return list(result.items)


def read(path: Path) -> Array:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


@pytest.mark.parametrize("name", MOBILENETS)
@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("picture", ["cat.bmp", "cat_1080p.jpg"])
def test_mobilenets_call_a_cat_a_cat(shared: Path, name: str, xnnpack: bool, picture: str) -> None:
    model = load(shared / "models" / f"{name}.tflite")
    items = run(model, "classification", read(shared / "models/media" / picture), xnnpack=xnnpack)
    assert "cat" in items[0]["label"].split(",")[0].split() or "tabby" in items[0]["label"]


def test_mobilenet_v2_sees_a_military_uniform(shared: Path) -> None:
    model = load(shared / "models/mobilenet_v2_1.0_224_quant.tflite")
    items = run(model, "classification", read(shared / "models/media/grace_hopper.bmp"), top_k=1)
    assert items[0]["label"] == "military uniform"
    assert items[0]["score"] > 0.5


def test_the_coco_ssd_finds_cats_and_dogs_where_they_are(shared: Path) -> None:
    model = load(shared / "models" / f"{COCO}.tflite")
    items = run(model, "detection", read(shared / "models/media/cats_and_dogs.jpg"))
    assert {item["label"] for item in items} == {"cat", "dog"}
    assert [item["score"] for item in items] == sorted((item["score"] for item in items), reverse=True)
    centres = sorted((item["box"][1] + item["box"][3]) / 2 for item in items)
    assert centres[0] < 0.4  # they stand side by side
    assert centres[-1] > 0.6


def test_the_coco_ssd_finds_nothing_in_darkness(shared: Path) -> None:
    model = load(shared / "models" / f"{COCO}.tflite")
    assert run(model, "detection", np.zeros((480, 640, 3), np.uint8)) == []


def test_movenet_finds_the_joints_of_a_person(shared: Path) -> None:
    model = load(shared / "models/movenet_single_pose_lightning_ptq.tflite")
    item = run(model, "tensor", read(shared / "models/media/squat.bmp"), head=32)[0]
    assert item["shape"] == [1, 1, 17, 3]
    assert item["nonfinite"] == 0
    joints = np.array(item["values"][:30]).reshape(-1, 3)
    assert ((joints >= 0) & (joints <= 1)).all()
    assert (joints[:, 2] > 0.3).mean() > 0.5


def test_movenet_finds_the_joints_where_its_makers_did(shared: Path) -> None:
    """The reference was made with another resize: places agree within 0.05, stretched; scores do not."""
    with (shared / "models/movenet_single_pose_lightning_ptq_reference.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = np.array([[float(row[f"keypoint_{axis}"]) for axis in "yx"] for row in rows])
    model = load(shared / "models/movenet_single_pose_lightning_ptq.tflite")
    [person] = run(model, "pose", read(shared / "models/media/squat.bmp"), min_score=0.2)
    found = np.array([one["point"] for one in person["keypoints"]])
    assert [one["index"] for one in person["keypoints"]] == [int(row["keypoint_id"]) for row in rows]
    assert np.abs(found - wanted).max() < 0.05
    assert person["keypoints"][0]["label"] == "nose"
    assert (person["label"], person["score"] > 0.4) == ("person", True)


def test_an_embedder_finds_the_same_picture_in_a_gallery(shared: Path) -> None:
    """The classes' scores of a classifier serve as a vector."""
    model = load(shared / "models/mobilenet_v2_1.0_224_quant.tflite")
    model = replace(model, labels=Labels())
    pictures = [read(shared / "models/media" / name) for name in ("cat.bmp", "grace_hopper.bmp")]
    gallery = io.BytesIO()
    np.save(gallery, [run(model, "embedding", one, digits=6)[0]["vector"] for one in pictures])
    files = {"gallery": gallery.getvalue()}
    for index, picture in enumerate(pictures):
        [item] = run(model, "embedding", picture, files=files, gallery="gallery.npy")
        assert (item["index"], item["score"]) == (index, pytest.approx(1, abs=1e-4))


def test_an_autoencoder_of_sounds_tells_noise_from_what_is_flat(shared: Path, tmp_path: Path) -> None:
    """MLPerf Tiny's: 640 values of a spectrogram, in dB, in and out."""
    model = load(shared / "models/ad01_int8.tflite")
    rng = np.random.default_rng(0)
    flat, wild = np.full((1, 640), -20.0, np.float32), rng.uniform(-60, 20, (1, 640)).astype(np.float32)
    found = []
    for name, values in (("flat", flat), ("wild", wild)):
        np.save(tmp_path / f"{name}.npy", values)
        source = images.build(images.Options(paths=(str(tmp_path / f"{name}.npy"),)), start=0)
        frame = source.read(0)
        assert frame is not None
        [item] = run(model, "anomaly", frame.data, threshold=100.0)
        found.append(item)
    assert [item["label"] for item in found] == ["normal", "anomaly"]
    assert found[0]["score"] < 0.5 < found[1]["score"]
    assert found[1]["error"] > 200


def test_every_other_model_runs_on_zeros_and_is_summarised(shared: Path) -> None:
    ran = 0
    for path in sorted((shared / "models").glob("*.tflite")):
        if path.stem in UNLOADABLE:
            continue
        model = load(path)
        backend = tflite.build(runtimes.options(tflite.Options), model.data, model.name)
        spec = backend.inputs[0]
        items = run(model, "tensor", np.zeros(spec.shape, spec.dtype))
        assert [item["shape"] for item in items] == [list(output.shape) for output in backend.outputs]
        assert sum(item["nonfinite"] for item in items) == 0
        # tflite-runtime leaves quantized operators to its own kernels.
        assert 0 <= backend.delegated[0] <= backend.delegated[1]
        assert backend.delegated[0] > 0 or runtimes.SECOND
        ran += 1
    assert ran >= 10


@pytest.mark.parametrize("name", UNLOADABLE)
def test_a_model_that_cannot_run_here_says_why_in_one_line(shared: Path, name: str) -> None:
    model = load(shared / "models" / f"{name}.tflite")
    with pytest.raises(ModelInvalid) as caught:
        tflite.build(runtimes.options(tflite.Options), model.data, model.name)
    assert UNLOADABLE[name] in caught.value.problem
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "task"), [(MOBILENETS[0], "detection"), (COCO, "classification"), ("vww_96_int8", "detection")]
)
def test_a_task_that_does_not_fit_the_model_is_refused(shared: Path, name: str, task: str) -> None:
    with pytest.raises(ModelInvalid, match=r"the task wants .*, the model gives "):
        run(load(shared / "models" / f"{name}.tflite"), task, np.zeros((9, 9, 3), np.uint8))


@pytest.mark.parametrize(
    ("picture", "person"),
    [("squat.bmp", True), ("kite_and_cold.jpg", True), ("cat.bmp", False), ("cats_and_dogs.jpg", False)],
)
def test_an_int8_model_reads_its_pictures_right(shared: Path, picture: str, person: bool) -> None:
    model = load(shared / "models/vww_96_int8.tflite")
    items = run(model, "classification", read(shared / "models/media" / picture))
    assert items[0]["index"] == int(person)


def test_packed_labels_are_found(shared: Path) -> None:
    assert load(shared / "models" / f"{COCO}.tflite").labels.name(0) == "person"
    assert len(load(shared / "models" / f"{MOBILENETS[0]}.tflite").labels.names) == 1001
