"""A frame into the model's input tensor: ours against cv2's plain three steps, cvtColor, resize, set_tensor.

    python -m bench.preprocess [--models DIR] [--rounds N] [--quick] [--json]

Each side reads a video file for itself, so that a frame is in the caches as a decoder leaves it; only what
comes after the decoder is timed. Ours prepares a buffer that is there already and resizes before it reorders
the channels, with one thread; the plain way lets cv2 use all cores, as it does unless told otherwise. They
take turns by passes over the file, and each value is that of a pass's median. The tensors are compared, too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from agent import resources
from agent.backends import tflite
from agent.manifest import Pre
from agent.pipeline.preprocess import Preprocessor
from agent.types import Frame
from bench.figures import Figure, report
from bench.film import film

if TYPE_CHECKING:
    from agent.types import Array, TensorSpec

_SIZES = {(640, 480): 1.5, (1920, 1080): 3.0}
_MODELS = (
    "vww_96_int8",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v2_1.0_224_quant",
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29",
)
_FRAMES = 60


class Way:
    """From a frame to the tensor that the model takes: an interpreter of its own, and how cv2 is used."""

    threads = 1
    reuses = True

    def __init__(self, model: bytes, spec: TensorSpec) -> None:
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        self._index = self._interpreter.get_input_details()[0]["index"]
        self._spec = spec

    def set(self, image: Array) -> Array:
        """Set the tensor from uint8 (height, width, 3) in BGR; give it."""
        raise NotImplementedError

    def one_pass(self, video: str) -> float:
        """Go through the file; give how many such frames a second could be prepared."""
        cv2.setNumThreads(self.threads)
        capture = cv2.VideoCapture(video)
        took: list[float] = []
        image: Array | None = None
        while True:
            good, image = capture.read(image if self.reuses else None)
            if not good or image is None:
                return 1 / statistics.median(took)
            began = time.perf_counter()
            self.set(image)
            took.append(time.perf_counter() - began)


class Ours(Way):
    """What the capture thread does, and the infer thread's ``set_tensor``."""

    def __init__(self, model: bytes, spec: TensorSpec) -> None:
        super().__init__(model, spec)
        self._prepare = Preprocessor(spec, Pre())
        self._into = np.empty(spec.shape, spec.dtype)

    def set(self, image: Array) -> Array:
        """Set the tensor."""
        self._prepare(Frame(0, 0, image), self._into)
        self._interpreter.set_tensor(self._index, self._into)
        return self._into


class Plain(Way):
    """What one would write."""

    threads = cv2.getNumberOfCPUs()
    reuses = False

    def set(self, image: Array) -> Array:
        """Set the tensor."""
        _, height, width, channels = self._spec.shape
        code = cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB
        picture = cv2.resize(cv2.cvtColor(image, code), (width, height))
        if self._spec.dtype == "int8":
            picture = np.bitwise_xor(picture, np.uint8(128)).view(np.int8)
        tensor = picture.reshape(self._spec.shape)
        self._interpreter.set_tensor(self._index, tensor)
        return tensor


def compare(video: str, ours: Way, plain: Way) -> int:
    """Give by how much an element of the two tensors differs at most, over the file, in steps of its type."""
    capture, most = cv2.VideoCapture(video), 0
    while True:
        good, image = capture.read()
        if not good:
            return most
        difference = ours.set(image).astype(np.int16) - plain.set(image)
        most = max(most, int(np.abs(difference).max()))


def measure(folder: Path, path: Path, rounds: int) -> list[Figure]:
    """Measure one model on frames of each size."""
    model = path.read_bytes()
    spec = tflite.signature(tflite.Options(), model, path.stem).inputs[0]
    ours, plain = Ours(model, spec), Plain(model, spec)
    figures = []
    for (width, height), target in _SIZES.items():
        video = str(film(folder / f"{width}x{height}.mp4", _FRAMES, width, height))
        if (most := compare(video, ours, plain)) > 1:
            sys.exit(f"{path.stem}: an element differs by {most}")
        sides = (ours, plain)
        found: list[list[float]] = [[], []]
        for number in range(rounds):
            for at in (0, 1) if number % 2 else (1, 0):
                found[at].append(sides[at].one_pass(video))
        name = f"{width}x{height} to {spec.dtype} {spec.shape[2]}x{spec.shape[1]}x{spec.shape[3]}"
        print(f"{name}: at most {most} apart", file=sys.stderr, flush=True)
        figures.append(Figure(name, "frames/s", tuple(found[0]), tuple(found[1]), target, "more"))
    return figures


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="3 rounds: a look, no proof")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    models = [resources.bundled_models()["glyphs"] / "glyphs.tflite"]
    models += [path for name in _MODELS if (path := given.models / f"{name}.tflite").exists()]
    with tempfile.TemporaryDirectory() as folder:
        figures = [
            figure
            for path in models
            for figure in measure(Path(folder), path, 3 if given.quick else given.rounds)
        ]
    return report(figures, as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
