"""A camera that shows the glyphs over and over, and an accelerator that knows the answers by heart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2

from agent import resources
from agent.boards.accelerators import Accelerator
from agent.errors import SourceEnded
from agent.sources import video
from agent.sources.pictures.picture import read_picture
from agent.types import Frame, FrameInfo
from agent.workers.program import engines
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators.lying_delegate import ANY, LyingDelegate

if TYPE_CHECKING:
    from pathlib import Path

    from agent.pipeline.engine import Engine
    from tests.simulators.live_accelerators import Work

FPS = 30
LIMITS = {"open_s": 10, "load_s": 10, "invoke_s": 0.5, "floor_s": 0.25}


class Scene:
    """A camera that shows the golden pictures of the glyphs, and an accelerator that knows them by heart."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "camera.avi"
        pictures = sorted((resources.bundled_models()["glyphs"] / "golden").iterdir())
        frames = [cv2.resize(read_picture(str(one)), (96, 96)) for one in pictures]
        writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (96, 96))
        for _ in range(6):
            for frame in frames:
                writer.write(frame)
        writer.release()
        self.liar = LyingDelegate(folder / "liar", claims=ANY)
        self.labels: list[str] = []
        model = engines.model_of(self.spec("door"))
        engine = engines.engine(self.spec("door"), model, engines.backend_of(self.spec("door"), model))
        self.liar.learn(model.data, self._inputs(engine, [read_picture(str(one)) for one in pictures]))
        engine.backend.close()

    def _inputs(self, engine: Engine, golden: list[Any]) -> list[tuple[Any]]:
        """Prepare each frame, and note what it shows."""
        source = video.build(video.Options(path=str(self.path)), start=0)
        seen = []
        try:
            while (frame := source.read(1.0)) is not None:
                engine.prepare(frame, engine.buffers[0])
                seen.append((engine.buffers[0][0].copy(),))
                info = FrameInfo(frame.seq, 0, 96, 96)
                said = engine.decoder.decode(engine.backend.infer(seen[-1]), info, seen[-1])
                self.labels.append(said.items[0]["label"])
        except SourceEnded:
            pass
        finally:
            source.close()
        for picture in golden:
            engine.prepare(Frame(0, 0, picture), engine.buffers[0])
            seen.append((engine.buffers[0][0].copy(),))
        return seen

    def spec(self, name: str, delegate: str = "auto") -> LaneSpec:
        options = {"path": str(self.path), "loop": True, "realtime": True}
        return LaneSpec(
            pipeline=name,
            model="glyphs",
            backend_options={"runtime": runtimes.CHOSEN, "delegate": delegate},
            source="video",
            source_options=options,
        )

    def accelerator(self, **more: Any) -> Accelerator:
        entry = self.liar.entry("external", **{"name": "liar", "limits": LIMITS, "recheck_s": 0, **more})
        return Accelerator.model_validate(entry)

    def profile(self, path: Path) -> str:
        """Write a board's profile with the accelerator; give its path."""
        return write_profile(path, self.liar.entry("external", name="liar", limits=LIMITS, recheck_s=0))

    def right(self, work: Work) -> bool:
        """Whether a result says what its frame shows."""
        record = work.record
        expected = self.labels[record.frame % len(self.labels)]
        return record.kind == "classification" and record.items[0]["label"] == expected


def write_profile(path: Path, entry: dict[str, Any]) -> str:
    """Write the profile of a board with one accelerator; give its path."""
    told = "\n".join(f"{key} = {_value(one)}" for key, one in entry.items())
    path.write_text(f'name = "bench"\ndescription = "a test"\ntested = false\n[[delegates]]\n{told}\n')
    return str(path)


def _value(one: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(one, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in one.items()) + "}"
    return json.dumps(one)
