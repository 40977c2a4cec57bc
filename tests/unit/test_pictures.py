"""Regions and health as the configuration file has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.boards.profiles import Profile
from agent.config.settings import parse
from agent.errors import ConfigInvalid
from agent.pictures import FAULTS, Health, Region
from agent.plan import lane_spec
from agent.workers.spec import LaneSpec

PIPELINE = '[[pipelines]]\nname = "door"\nmodel = "glyphs"\nsource = { kind = "synthetic" }\n'


def test_health_and_privacy_reach_the_worker_as_they_were_configured() -> None:
    text = (
        f"{PIPELINE}health = {{ black = 12, infer = true }}\n"
        "[[pipelines.privacy]]\npoints = [[0, 0.5], [0.25, 1]]\n"
        '[[pipelines.privacy]]\nshape = "polygon"\npoints = [[0, 0], [1, 0], [0, 1]]\nhow = "blur"\n'
    )
    settings = parse(text, "agent.toml")
    [pipeline] = settings.pipelines
    spec = lane_spec(
        pipeline,
        settings.source_of(pipeline),
        Profile(name="board", description="A board", tested=True),
        Path("/"),
    )
    told = LaneSpec.model_validate_json(spec.model_dump_json())
    assert told.health == Health(black=12, infer=True)
    assert told.privacy == (
        Region(points=((0, 0.5), (0.25, 1))),
        Region(shape="polygon", points=((0, 0), (1, 0), (0, 1)), how="blur"),
    )


def test_without_the_keys_nothing_is_looked_for_and_nothing_hidden() -> None:
    [pipeline] = parse(PIPELINE, "agent.toml").pipelines
    assert (pipeline.health, pipeline.privacy) == (None, ())
    [pipeline] = parse(f"{PIPELINE}health = {{}}\n", "agent.toml").pipelines
    assert pipeline.health == Health()
    assert Health().faults == FAULTS


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("privacy = [{ points = [[0, 0], [1, 1], [1, 0]] }]", "a box has two points"),
        ('privacy = [{ shape = "polygon", points = [[0, 0], [1, 1]] }]', "three points or more"),
        ("privacy = [{ points = [[0, 0], [0, 1]] }]", "it has no area"),
        ('privacy = [{ shape = "polygon", points = [[0, 0], [1, 0], [0, 1], [1, 1]] }]', "once around it"),
        ("privacy = [{ points = [[0, 0], [1.5, 1]] }]", "less than or equal to 1"),
        ("privacy = [{ points = [[0, 0], [nan, 1]] }]", "finite"),
        ('health = { faults = ["sleepy"] }', "frozen"),
        ("health = { faults = [] }", "at least 1"),
        ("health = { dark = 3 }", "no such key"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse(f"{PIPELINE}{line}\n", "agent.toml")
    assert str(caught.value).startswith("agent.toml:5: pipelines.0.")
    assert problem in str(caught.value)
