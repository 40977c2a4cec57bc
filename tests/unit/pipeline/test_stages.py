"""Which crops a stage is given, and what becomes of its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.pipeline.engine import Engine
from agent.pipeline.slot import Item
from agent.pipeline.stages import EVERY, Crops, Stage, Staging
from agent.types import WHOLE, FrameInfo, Phase, Result, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, Box, Frame

PIXELS = np.zeros((40, 80, 3), np.uint8)
INFO = FrameInfo(seq=7, captured_ns=1000, height=40, width=80)


class Brightness:
    """A model that gives the mean of its input; what it decodes says where it looked."""

    inputs = outputs = (TensorSpec("x", "float32", (1,)),)
    runtime, delegate, delegated = "python", "cpu", (0, 1)
    closed = 0

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        return (tensors[0].copy(),)

    def close(self) -> None:
        self.closed += 1

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        del inputs
        if outputs[0][0] > 200:
            raise InputRejected("decode", "x", "too bright")
        return Result("looked", ({"at": list(frame.region), "mean": float(outputs[0][0])},))


def prepare(frame: Frame, into: Sequence[Array], region: Box = WHOLE) -> None:
    height, width = frame.data.shape[:2]
    top, left, bottom, right = region
    part = frame.data[
        round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ]
    into[0][0] = part.mean()


MODEL = Brightness()
FACTS = {"model": "m@1", "sha256": "0" * 64, "bundle": "", "task": "looked", "runtime": "python"}
ENGINE = Engine(MODEL, MODEL, prepare, [(np.zeros(1, np.float32),)], FACTS)
phases: list[Phase] = []


def staging(*stages: tuple[str, Crops | None]) -> Staging:
    return Staging([Stage(name, ENGINE, wanted) for name, wanted in stages], phases.append)


def crops(*labels: str, most: int = 4, min_score: float = 0.0, margin: float = 0.0) -> Crops:
    return Crops(frozenset(labels), most, min_score, margin)


def item(pixels: Array | None = PIXELS) -> Item:
    return Item(0, INFO, ENGINE, pixels=pixels)


def found(label: str, score: float, *box: float) -> dict[str, Any]:
    return {"label": label, "index": 0, "score": score, "box": list(box)}


CAR, VAN = found("car", 0.9, 0.0, 0.0, 0.5, 0.5), found("van", 0.6, 0.5, 0.5, 1.0, 1.0)


def test_a_stage_of_crops_tells_of_each_item_what_it_found_there() -> None:
    passed = staging(("plate", crops("car")))(item(), Result("detection", (CAR, VAN)))
    assert passed.items[0]["also"]["plate"]["items"] == ({"at": [0.0, 0.0, 0.5, 0.5], "mean": 0.0},)
    assert passed.items[0]["also"]["plate"]["kind"] == "looked"
    assert passed.items[1] == VAN
    assert "also" not in CAR  # what a decoder gave is not written to


def test_a_stage_of_the_frame_stands_beside_its_items() -> None:
    passed = staging(("scene", None))(item(), Result("detection", (CAR,)))
    assert passed.also["scene"]["items"] == ({"at": list(WHOLE), "mean": 0.0},)
    assert passed.items == (CAR,)


def test_stages_follow_each_other_and_keep_what_those_before_them_found() -> None:
    run = staging(("one", crops(EVERY)), ("two", crops(EVERY)), ("three", None))
    phases.clear()
    passed = run(item(), Result("detection", (CAR, VAN)))
    assert [set(one["also"]) for one in passed.items] == [{"one", "two"}] * 2
    assert set(passed.also) == {"three"}
    assert phases == [Phase.DECODE] * 5


def test_a_stage_that_cannot_read_a_crop_fails_the_frame() -> None:
    bright = np.full_like(PIXELS, 255)
    with pytest.raises(InputRejected, match="too bright"):
        staging(("plate", crops("car")))(item(bright), Result("detection", (CAR,)))


def test_a_result_without_pixels_passes_as_it_is() -> None:
    result = Result("detection", (CAR,))
    assert staging(("plate", crops("car")))(item(None), result) is result


def test_the_best_of_the_wanted_labels_are_cropped() -> None:
    items = [found("car", score, 0, 0, 1, 1) for score in (0.2, 0.9, 0.5)] + [
        VAN,
        {"label": "car", "score": 1.0},
    ]
    assert crops("car", most=2).chosen(items) == [1, 2]
    assert crops(EVERY, most=9, min_score=0.5).chosen(items) == [1, 3, 2]
    assert crops("bus").chosen(items) == []


shares = st.floats(0, 1)


@given(shares, shares, shares, shares, st.floats(0, 2))
def test_a_crop_lies_in_the_frame_and_round_its_box(
    y: float, x: float, v: float, u: float, margin: float
) -> None:
    box = [min(y, v), min(x, u), max(y, v), max(x, u)]
    top, left, bottom, right = crops(EVERY, margin=margin).region(box)
    assert 0 <= top <= box[0] <= box[2] <= bottom <= 1
    assert 0 <= left <= box[1] <= box[3] <= right <= 1


def test_the_models_of_stages_are_named_and_closed() -> None:
    run = staging(("plate", crops("car")))
    assert list(run.facts()) == [
        {"name": "plate", "model": "m@1", "sha256": "0" * 64, "bundle": "", "task": "looked"}
    ]
    before = MODEL.closed
    run.close()
    assert MODEL.closed == before + 1
