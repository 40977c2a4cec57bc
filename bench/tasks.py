"""How well what is seen is told: detection, tracking and counting, end to end, against the truth.

    python -m bench.tasks [--frames N] [--quick] [--json]

The synthetic camera shows scenes of one to six moving shapes that cover each other, each for 2 s at 30 frames
a second, from a seed that training never saw. The bundled model ``shapes`` looks at every frame, through the
agent's own preprocessing and decoder, and the filters ``classes`` (scores of 0.3 and more), ``track``,
``zones`` and ``lines`` follow. The same zones and lines count the true shapes under their true numbers.
Shapes of which less than 40 % is visible are difficult, as in the model's card: neither demanded nor
punished. Scores below 0.3 are there for mAP alone.

Then: the processor time that decoding and filtering take for a frame of 100 detections that move.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent import plugins
from agent.errors import SourceEnded
from agent.labels import Labels
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import MOST, sights
from agent.types import FrameInfo, Result, Signature, TensorSpec
from bench.figures import Figure, report
from models.clear_mot import Mot, Thing
from models.line import Line
from models.metrics import Picture, Wanted, mean_average_precision
from models.shapes.data import HELD_OUT, VISIBLE
from models.shapes.evaluate import EVERYTHING, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent.screening import Filter

_MODEL = Path(__file__).parents[1] / "models" / "shapes"
_SEED = HELD_OUT + 2_000  # neither training nor the card's own figures see it
_WIDTH, _HEIGHT, _FPS = 640, 480, 30
_MIDDLE = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]
_ROUNDS = 5
_PLACES: tuple[dict[str, Any], ...] = (
    {
        "kind": "zones",
        "at": "centre",
        "settle_s": 0.2,
        "lost_s": 0.5,
        "zones": [{"name": "middle", "points": _MIDDLE}],
    },
    {
        "kind": "lines",
        "at": "centre",
        "lost_s": 0.5,
        "lines": [
            {"name": "across", "points": [[0.0, 0.5], [1.0, 0.5]]},
            {"name": "down", "points": [[0.5, 0.0], [0.5, 1.0]]},
        ],
    },
)
_TRACKS: tuple[dict[str, Any], ...] = (
    {"kind": "classes", "min_score": {"*": 0.3}},
    {"kind": "track", "start_score": 0.6, "tracked_only": True},
)


class Chain:
    """Filters in a row, and what they have told.

    Attributes:
        told: how often each event came.
    """

    def __init__(self, tables: Sequence[Mapping[str, Any]]) -> None:
        self.told: Counter[str] = Counter()
        self._filters: list[Filter] = []
        for table in tables:
            options = {key: value for key, value in table.items() if key != "kind"}
            module = plugins.load("filters", table["kind"])
            self._filters.append(module.build(module.Options(**options)))

    def __call__(self, items: Sequence[Mapping[str, Any]], frame: FrameInfo) -> Result:
        """Give what they make of the items."""
        result = Result("detection", tuple(items))
        for one in self._filters:
            passed = one.apply(result, frame)
            assert passed is not None
            result = passed
        for event in result.events:
            what = (event["event"], event.get("zone", ""), event.get("line", ""), event.get("direction", ""))
            self.told[" ".join(filter(None, what))] += 1
        return result


@dataclass(slots=True)
class Tally:
    """What was measured over all frames."""

    pictures: list[Picture] = field(default_factory=list)
    mot: Mot = field(default_factory=Mot)
    ours: Counter[str] = field(default_factory=Counter)
    truth: Counter[str] = field(default_factory=Counter)
    right: int = 0
    frames: int = 0


def shown(seq: int) -> dict[int, Any]:
    """Give what a frame shows, by numbers that are one shape's throughout its scene."""
    first = seq // SCENE_FRAMES * MOST + 1
    return {first + at: sight for at, sight in enumerate(sights(_SEED, seq, _WIDTH, _HEIGHT))}


def measured(count: int) -> Tally:
    """Run the camera, the model and the filters over so many frames."""
    line, tally = Line.of(_MODEL, options=EVERYTHING), Tally()
    ours, truth = Chain([*_TRACKS, *_PLACES]), Chain(_PLACES)
    for seq, data in drawn(count):
        info = FrameInfo(seq, seq * 1_000_000_000 // _FPS, _HEIGHT, _WIDTH)
        there = shown(seq)
        items = line.items(data)
        wanted = [Wanted(one.label, one.box, difficult=one.visible < VISIBLE) for one in there.values()]
        tally.pictures.append(Picture(wanted, [found(item) for item in items]))
        result = ours(items, info)
        true = truth([_true(number, one) for number, one in there.items() if one.visible >= VISIBLE], info)
        tally.mot.frame(
            {number: Thing(one.label, one.box, one.visible < VISIBLE) for number, one in there.items()},
            {item["track"]: Thing(item["label"], tuple(item["box"])) for item in result.items},
        )
        tally.right += _in_the_middle(result) == _in_the_middle(true)
        tally.frames += 1
    tally.ours, tally.truth = ours.told, truth.told
    return tally


def drawn(count: int) -> Iterator[tuple[int, Any]]:
    """Give the frames of the synthetic camera, each with its number; all share one buffer."""
    module = plugins.load("sources", "synthetic")
    told = {"scene": "shapes", "width": _WIDTH, "height": _HEIGHT, "fps": 0, "seed": _SEED, "frames": count}
    source = module.build(module.Options(**told), start=0)
    while True:
        try:
            frame = source.read(1.0)
        except SourceEnded:
            return
        yield frame.seq, frame.data


def _true(number: int, one: Any) -> dict[str, Any]:
    return {"label": one.label, "index": 0, "score": 1.0, "box": list(one.box), "track": number}


def _in_the_middle(result: Result) -> int:
    return sum("middle" in item["zones"] for item in result.items)


def accuracy(tally: Tally, names: Sequence[str]) -> float:
    """Give 1 minus the share by which the counts of these events are off, each on its own."""
    off = sum(abs(tally.ours[name] - tally.truth[name]) for name in names)
    return 1 - off / max(1, sum(tally.truth[name] for name in names))


def figures_of(tally: Tally) -> list[Figure]:
    """Give what the tally shows, each against what is perfect."""
    crossings = sorted(name for name in {*tally.ours, *tally.truth} if name.startswith("line"))
    visits = sorted(name for name in {*tally.ours, *tally.truth} if name.startswith("zone"))
    whole = (1.0,)
    mean = mean_average_precision(tally.pictures)
    switches = 1000 * tally.mot.switches / max(1, tally.mot.matches)
    return [
        Figure("mAP@0.5", "", (mean,), whole, 0.9, "more"),
        Figure("MOTA", "", (tally.mot.mota,), whole, 0.85, "more"),
        Figure("identity switches, of 1,000 pairs", "", (switches,), whole, 5, "less"),
        Figure("crossings of two lines, accuracy", "", (accuracy(tally, crossings),), whole, 0.9, "more"),
        Figure("visits of a zone, accuracy", "", (accuracy(tally, visits),), whole, 0.9, "more"),
        Figure("number in a zone right, of frames", "", (tally.right / tally.frames,), whole, 0.85, "more"),
    ]


def costs(frames: int, most: int = 100) -> list[Figure]:
    """Measure the processor time of decoding and of filtering ``most`` detections that move."""
    rng = np.random.default_rng(5)
    places, sizes = rng.uniform(0.05, 0.95, (most, 2)), rng.uniform(0.03, 0.08, (most, 2))
    ways = rng.normal(0, 0.03, (most, 2))
    shapes = ((1, most, 4), (1, most), (1, most), (1,))
    outputs = tuple(TensorSpec(f"out:{at}", "float32", shape) for at, shape in enumerate(shapes))
    module = plugins.load("decoders", "detection")
    options = module.Options(min_score=0, max_items=most)
    decoder = module.build(options, Signature((), outputs), Labels(("cat", "dog", "bird")))
    scores, classes = rng.uniform(0.5, 1, (1, most)), rng.integers(0, 3, (1, most))
    chains = {"track": Chain(_TRACKS[1:]), "track, zones and lines": Chain([*_TRACKS[1:], *_PLACES])}
    spent: dict[str, list[float]] = {name: [] for name in ("decoding", *chains)}
    for seq in range(frames):
        middles = places + ways * seq / _FPS
        boxes = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=1)[None]
        tensors = [np.asarray(one, np.float32) for one in (boxes, scores, classes, [most])]
        info = FrameInfo(seq, seq * 1_000_000_000 // _FPS, _HEIGHT, _WIDTH)
        began = time.process_time_ns()
        items = decoder.decode(tensors, info).items
        spent["decoding"].append((time.process_time_ns() - began) / 1e6)
        for name, chain in chains.items():
            began = time.process_time_ns()
            chain(items, info)
            spent[name].append((time.process_time_ns() - began) / 1e6)
    rounds = {
        name: tuple(float(np.median(part)) for part in np.array_split(one[10:], _ROUNDS))
        for name, one in spent.items()
    }
    allowed, decoding = (0.3,) * _ROUNDS, rounds.pop("decoding")
    found = [Figure(f"decoding {most} detections", "ms", decoding, allowed, 1.0, "less")]
    for (name, one), target in zip(rounds.items(), (1.0, 2.0), strict=True):
        both = tuple(map(sum, zip(decoding, one, strict=True)))
        found.append(Figure(f"decoding and {name}", "ms", both, allowed, target, "less"))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="500 frames: a look, no claim")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    tally = measured(500 if arguments.quick else arguments.frames)
    if not arguments.json:
        mot = tally.mot
        print(
            f"{tally.frames} frames, {mot.objects} objects: {mot.matches} found, {mot.misses} missed,",
            end=" ",
        )
        print(f"{mot.alarms} that are none, {mot.switches} identity switches")
        for name in sorted({*tally.ours, *tally.truth}):
            print(f"{name:<28} ours {tally.ours[name]:>6}   truth {tally.truth[name]:>6}")
    return report([*figures_of(tally), *costs(510)], as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
