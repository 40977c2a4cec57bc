"""The synthetic camera as a source."""

from __future__ import annotations

import time
from dataclasses import fields

import pytest
from pydantic import ValidationError

from agent.errors import SourceEnded
from agent.sources.synthetic import Options, build
from agent.types import Frame


@pytest.mark.parametrize(
    "wrong",
    [
        *({"width": 8}, {"height": 5000}, {"fps": -1}, {"fps": 2000}, {"fps": float("nan")}),
        *({"seed": -1}, {"noise": 65}, {"blur": 1.1}, {"frames": 0}),
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(wrong)


def test_it_keeps_its_rate_and_tells_no_truth() -> None:
    source = build(Options(width=64, height=48, fps=100), start=10)
    began = time.monotonic()
    frames = [source.read(1) for _ in range(21)]
    assert 0.19 < time.monotonic() - began < 5
    assert [frame.seq for frame in frames if frame] == list(range(10, 31))
    assert {field.name for field in fields(Frame)} == {"seq", "captured_ns", "data", "origin", "missed"}
    assert {frame.origin for frame in frames if frame} == {""}


def test_the_count_of_frames_includes_those_before_the_start() -> None:
    source = build(Options(width=64, height=48, fps=0, frames=5), start=3)
    assert [frame.seq for frame in (source.read(0), source.read(0)) if frame] == [3, 4]
    with pytest.raises(SourceEnded, match="5 frames"):
        source.read(0)
