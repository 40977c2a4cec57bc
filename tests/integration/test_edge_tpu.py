"""A public model and its file for the Edge TPU, through the whole agent.

No Edge TPU is there: a stand-in takes its place behind the kind `edgetpu`. It claims the operator that such
files consist of, and replays what the CPU makes of the same pictures (`tests/simulators/lying_delegate.c`).
So this shows the way of the variant, from the bundle to results, and nothing of what the device computes.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from agent.errors import SourceEnded
from agent.manifest import entry
from agent.sources import video
from agent.sources.pictures.picture import read_picture
from agent.types import Frame, FrameInfo
from agent.workers.program import engines
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.conftest import SHARED
from tests.simulators.glyph_camera import FPS, LIMITS, write_profile
from tests.simulators.lying_delegate import EDGE_TPU, LyingDelegate
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.pipeline.engine import Engine
    from agent.types import Array

pytestmark = pytest.mark.shared

MODELS = SHARED / "models"
NAME = "mobilenet_v1_0.25_128_quant"
PICTURES = ("cat.bmp", "grace_hopper.bmp", "squat.bmp", "cats_and_dogs.jpg")
GOLDEN = "golden.png"


class Zoo:
    """A bundle with both files of a model, a camera, and a stand-in that knows all its pictures."""

    def __init__(self, folder: Path) -> None:
        self.camera = folder / "camera.avi"
        pictures = [cv2.resize(read_picture(str(MODELS / "media" / one)), (160, 160)) for one in PICTURES]
        writer = cv2.VideoWriter(str(self.camera), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (160, 160))
        for _ in range(8):
            for picture in pictures:
                writer.write(picture)
        writer.release()
        self.bundle = folder / "bundle"
        self.bundle.mkdir()
        cv2.imwrite(str(self.bundle / GOLDEN), pictures[0])
        self._write(())
        engine = self._engine()
        self.answers: list[str] = []
        inputs = self._seen(engine)
        golden = self._infer(engine, read_picture(str(self.bundle / GOLDEN)), inputs)
        engine.backend.close()
        self._write(({"input": GOLDEN, "expect": [{"label": golden["label"]}], "tol": 0.01},))
        self.liar = LyingDelegate(folder / "liar", claims=EDGE_TPU)
        self.liar.learn((MODELS / f"{NAME}.tflite").read_bytes(), inputs)

    def _write(self, golden: tuple[dict[str, Any], ...]) -> None:
        files = {
            "cpu.tflite": (MODELS / f"{NAME}.tflite").read_bytes(),
            "edgetpu.tflite": (MODELS / f"{NAME}_edgetpu.tflite").read_bytes(),
            "labels.txt": (MODELS / "imagenet_labels.txt").read_bytes(),
            GOLDEN: (self.bundle / GOLDEN).read_bytes(),
        }
        for name, content in files.items():
            (self.bundle / name).write_bytes(content)
        manifest = {
            "schema": 2,
            "name": "mobilenet",
            "version": "1",
            "task": "classification",
            "license": "Apache-2.0",
            "files": [entry(name, content).model_dump(mode="json") for name, content in files.items()],
            "model": "cpu.tflite",
            "variants": {"edgetpu": "edgetpu.tflite"},
            "labels": "labels.txt",
            "golden": golden,
        }
        (self.bundle / "manifest.json").write_text(json.dumps(manifest))

    def _engine(self) -> Engine:
        spec = LaneSpec(
            pipeline="door",
            model=str(self.bundle),
            backend_options={"runtime": runtimes.CHOSEN},
            source="synthetic",
        )
        model = engines.model_of(spec)
        return engines.engine(spec, model, engines.backend_of(spec, model))

    def _seen(self, engine: Engine) -> list[tuple[Array]]:
        source = video.build(video.Options(path=str(self.camera)), start=0)
        seen: list[tuple[Array]] = []
        try:
            while (frame := source.read(1.0)) is not None:
                self.answers.append(self._infer(engine, frame.data, seen)["label"])
        except SourceEnded:
            pass
        finally:
            source.close()
        return seen

    def _infer(self, engine: Engine, picture: Array, seen: list[tuple[Array]]) -> dict[str, Any]:
        engine.prepare(Frame(0, 0, picture), engine.buffers[0])
        seen.append((engine.buffers[0][0].copy(),))
        outputs = engine.backend.infer(seen[-1])
        height, width = picture.shape[:2]
        return dict(engine.decoder.decode(outputs, FrameInfo(0, 0, height, width), seen[-1]).items[0])


def test_a_file_for_the_edge_tpu_serves_through_the_whole_agent_and_its_twin_when_it_fails(
    tmp_path: Path,
) -> None:
    zoo = Zoo(tmp_path)
    source = f'source = {{ kind = "video", path = "{zoo.camera}", loop = true, realtime = true }}'
    backend = f'backend = {{ kind = "tflite", runtime = "{runtimes.CHOSEN}" }}'
    agent = RunningAgent(tmp_path, f"{source}\n{backend}", model=str(zoo.bundle))
    profile = write_profile(tmp_path / "board.toml", zoo.liar.entry("edgetpu", limits=LIMITS, recheck_s=0))
    agent.environment = {**os.environ, "EDGE_AGENT__PROFILE": profile}
    with agent:
        door = agent.until(lambda one: one["delegate"] == "edgetpu")
        assert door["delegated"] == [1, 1]
        agent.until_inferred(30)
        zoo.liar.set("hang")
        agent.until(lambda one: one["twin"] is True)
        zoo.liar.heal()
        agent.until(lambda one: one["delegate"] == "edgetpu")
        agent.until_inferred(10)
        assert agent.end() == 0
    records, ledger = agent.stored()
    works = [one for one in records if one["kind"] == "classification"]
    wrong = [one for one in works if one["items"][0]["label"] != zoo.answers[one["frame"] % len(zoo.answers)]]
    assert not wrong
    assert {one["delegate"] for one in works} == {"edgetpu", "cpu" if runtimes.SECOND else "xnnpack"}
    assert (ledger["lost"], ledger["failed"]) == (0, {})
