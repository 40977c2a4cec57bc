"""Every public model, as a bare file and as a bundle: it runs with its task, or says why it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.errors import AgentError
from agent.manifest import entry
from agent.sources.pictures.picture import read_picture
from agent.workers.program import engines
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec
from models import bundle
from tests import runtimes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.types import Array

pytestmark = pytest.mark.shared

COCO = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29"
CAT, PERSON, SOUND = "cat.bmp", "grace_hopper.bmp", (16000, 1)
# The task, and what it is shown: a picture, or an array of zeros.
MODELS: dict[str, tuple[str, str | tuple[int, ...], dict[str, Any]]] = {
    "ad01_int8": ("anomaly", (1, 640), {}),
    COCO: ("detection", CAT, {}),
    "hello_world_int8": ("tensor", (1,), {}),
    "kws_ref_model": ("classification", (1, 49, 10, 1), {}),
    "micro_speech_quantized": ("classification", SOUND, {"features": {"kind": "micro_speech"}}),
    "mobilenet_v1_0.25_128_quant": ("classification", CAT, {}),
    "mobilenet_v1_0.25_224_quant": ("classification", CAT, {"resize": "crop"}),
    "mobilenet_v2_1.0_224_quant": ("classification", CAT, {"resize": "letterbox"}),
    "movenet_single_pose_lightning_ptq": ("tensor", "squat.bmp", {"resize": "letterbox"}),
    "vww_96_int8": ("classification", PERSON, {"interpolation": "area"}),
}
REFUSED = {
    "audio_preprocessor_int8": "custom operator SignalWindow",
    "mobilenet_v1_0.25_128_quant_edgetpu": "compiled for the Edge TPU",
    "model_invoking_error": "custom operator fake-op-double",
    "person_detect": "quantized_dimension that this runtime refuses",
}


def tried(model: Path, **told: Any) -> Tryout:
    backend = {"runtime": runtimes.CHOSEN}
    spec = LaneSpec(pipeline="p", model=str(model), source="x", backend_options=backend, **told)
    loaded = engines.labelled(spec, engines.model_of(spec))
    return Tryout(engines.engine(spec, loaded, engines.backend_of(spec, loaded)))


def shown(shared: Path, what: str | tuple[int, ...]) -> Array:
    return read_picture(str(shared / "models/media" / what)) if isinstance(what, str) else np.zeros(what)


def bundled(folder: Path, model: Path, task: str, pre: dict[str, Any], labels: Sequence[str] = ()) -> Path:
    """Make a bundle of a model as it stands."""
    folder.mkdir()
    said = {"schema": 2, "name": "x", "version": "1", "task": task, "license": "Apache-2.0", "pre": pre}
    named = {"labels": bundle.put_labels(folder, labels)} if labels else {}
    bundle.put_manifest(
        folder, {**said, **named, "model": bundle.put(folder, "m.tflite", model.read_bytes())}
    )
    return folder


def test_all_of_the_folder_are_spoken_of(shared: Path) -> None:
    found = {path.stem for path in (shared / "models").glob("*.tflite")}
    assert found - MODELS.keys() - REFUSED.keys() == set()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_runs_without_a_manifest_and_with_one_and_says_the_same(
    shared: Path, tmp_path: Path, name: str
) -> None:
    task, what, pre = MODELS[name]
    path, data = shared / "models" / f"{name}.tflite", shown(shared, what)
    options = {"threshold": 100.0} if task == "anomaly" else {}
    items = tried(path, task=task, pre=pre, decoder=options).items(data)
    assert items
    labels = engines.model_of(LaneSpec(pipeline="p", model=str(path), source="x")).labels.names
    found = tried(bundled(tmp_path / "b", path, task, pre, labels), decoder=options).items(data)
    assert found == items
    assert tried(path, task="tensor", pre=pre).items(data)


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_the_runtime_cannot_load_says_why_in_one_line(
    shared: Path, tmp_path: Path, name: str
) -> None:
    path = shared / "models" / f"{name}.tflite"
    for one in (path, bundled_unread(tmp_path / "b", path)):
        with pytest.raises(AgentError) as caught:
            tried(one, task="tensor")
        assert REFUSED[name] in str(caught.value)
        assert "\n" not in str(caught.value)


def bundled_unread(folder: Path, model: Path) -> Path:
    """Make a bundle of a model that nothing here can read: without its tensors."""
    folder.mkdir()
    path = bundle.put(folder, "m.tflite", model.read_bytes())
    listed = entry(path, model.read_bytes()).model_dump_json()
    (folder / "manifest.json").write_text(
        '{"schema": 2, "name": "x", "version": "1", "task": "tensor", "license": "x", "model": "m.tflite", '
        f'"files": [{listed}]}}'
    )
    return folder


def test_vww_stretched_by_area_says_person_for_a_person_and_none_for_a_cat(
    shared: Path, tmp_path: Path
) -> None:
    path = shared / "models/vww_96_int8.tflite"
    pre = {"resize": "stretch", "interpolation": "area"}
    tryout = tried(bundled(tmp_path / "b", path, "classification", pre, ("none", "person")))
    found = [tryout.items(shown(shared, what))[0] for what in (PERSON, CAT)]
    assert [item["label"] for item in found] == ["person", "none"]


def boxes(items: Sequence[Any]) -> Iterator[tuple[str, list[float]]]:
    for item in items:
        top, left, bottom, right = item["box"]
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
        yield item["label"], item["box"]


def test_the_ssds_boxes_lie_on_the_cats_and_dogs(shared: Path) -> None:
    tryout = tried(shared / "models" / f"{COCO}.tflite", task="detection")
    found = list(boxes(tryout.items(shown(shared, "cats_and_dogs.jpg"))))
    assert {label for label, _ in found} == {"cat", "dog"}
    assert len(found) >= 4


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
def test_the_ssds_boxes_lie_on_the_kite_and_on_a_person_whatever_the_resize(
    shared: Path, resize: str
) -> None:
    """Where they are in the picture was read off the picture itself."""
    pre, least = {"resize": resize}, {"min_score": 0.3}
    tryout = tried(shared / "models" / f"{COCO}.tflite", task="detection", pre=pre, decoder=least)
    found = list(boxes(tryout.items(shown(shared, "kite_and_cold.jpg"))))
    for wanted, y, x in (("kite", 0.12, 0.47), ("person", 0.575, 0.39)):
        middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for label, box in found if label == wanted]
        assert min(abs(down - y) + abs(across - x) for down, across in middles) < 0.02
