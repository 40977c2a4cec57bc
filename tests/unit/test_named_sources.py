"""Sources with names: shared by pipelines, and every wrong name told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.boards.profiles import Profile
from agent.capture.main import _preparing
from agent.cli.device.settings import Loaded
from agent.config.settings import parse
from agent.errors import ConfigInvalid
from agent.plan import feeds, lane_spec
from agent.types import Frame
from agent.workers.messages import Fault

PIPELINE = """\
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic", fps = 5 }
"""
SOURCE = """\
[[sources]]
name = "yard"
kind = "synthetic"
fps = 5
"""
USERS = """\
[[pipelines]]
name = "faces"
model = "glyphs"
source = "yard"

[[pipelines]]
name = "cars"
model = "shapes"
source = "yard"
"""
NAMED = SOURCE + USERS


def test_pipelines_share_a_source_by_its_name() -> None:
    settings = parse(NAMED, "agent.toml")
    [source] = settings.sources
    assert (source.kind, source.options) == ("synthetic", {"fps": 5})
    assert [settings.source_of(one) for one in settings.pipelines] == [source, source]
    assert settings.users_of(source) == ["faces", "cars"]


def test_a_pipeline_has_the_privacy_of_its_source_and_the_sources_health_unless_it_says_another() -> None:
    region = 'points = [[0.0, 0.0], [0.5, 0.5]]\nhow = "{}"\n'
    text = SOURCE + "health = { frames = 7 }\n[[sources.privacy]]\n" + region.format("fill")
    text += USERS + "health = { frames = 9 }\n[[pipelines.privacy]]\n" + region.format("blur")
    settings = parse(text, "agent.toml")
    board = Profile(name="b", description="b", tested=False)
    specs = [lane_spec(one, settings.source_of(one), board, Path()) for one in settings.pipelines]
    assert [spec.source_name for spec in specs] == ["yard", "yard"]
    assert [spec.health.frames if spec.health else None for spec in specs] == [7, 9]
    assert [[one.how for one in spec.privacy] for spec in specs] == [["fill"], ["fill", "blur"]]


def test_a_source_that_several_use_is_read_apart_and_hides_its_own_regions_there() -> None:
    region = '[[{}.privacy]]\npoints = [[0.0, 0.0], [0.5, 0.5]]\nhow = "{}"\n'
    text = SOURCE + region.format("sources", "fill") + USERS + region.format("pipelines", "blur")
    settings = parse(text, "agent.toml")
    board = Profile(name="b", description="b", tested=False)
    [feed] = feeds(settings, board, Path("/etc"), hidden=[Path("/key")])
    assert (feed.source, feed.kind, feed.options) == ("yard", "synthetic", {"fps": 5})
    assert (feed.pipelines, feed.folder, feed.hidden, feed.confine) == (
        ("faces", "cars"),
        "/etc",
        ("/key",),
        True,
    )
    assert [one.how for one in feed.privacy] == ["fill"]
    spec = lane_spec(
        settings.pipelines[1], settings.source_of(settings.pipelines[1]), board, Path(), apart=True
    )
    assert (spec.apart, spec.source_options) == (True, {})
    assert [one.how for one in spec.privacy] == ["blur"]
    assert [one.how for one in spec.veiled] == ["fill"]
    hide = _preparing(feed)
    assert hide is not None
    made = hide(Frame(0, 0, np.full((10, 10, 3), 9, np.uint8)))
    assert made.data[:5, :5].max() == 0
    assert made.data[5:].min() == 9


def test_a_source_that_one_pipeline_uses_stays_in_its_worker_unless_its_kind_wants_to_be_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = parse(SOURCE + USERS.partition("\n\n")[0] + "\n" + PIPELINE, "agent.toml")
    board = Profile(name="b", description="b", tested=False)
    assert feeds(settings, board, Path()) == ()
    monkeypatch.setattr("agent.sources.synthetic.APART", True, raising=False)
    assert [(one.source, one.pipelines) for one in feeds(settings, board, Path())] == [
        ("yard", ("faces",)),
        ("door.source", ("door",)),
    ]


def test_a_wrong_option_of_a_named_source_is_told_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(NAMED)
    fault = Fault(error="ConfigInvalid", op="read", subject="fps", problem="too fast", loc=["source", "fps"])
    error = Loaded(path).explain()("cars", fault)
    assert str(error).startswith(f"{path}:4: sources.0.fps: too fast")


@pytest.mark.parametrize(
    ("tables", "at"),
    [
        ('[[pipelines.filters]]\nkind = "a"\n[[pipelines.filters]]\nkind = "b"\npoints = [1]\n', 5),
        ('filters = [\n{ kind = "a" },\n{ kind = "b", points = [1] } ]\n', 1),
    ],
)
def test_a_wrong_option_of_a_filter_is_told_where_it_stands(tmp_path: Path, tables: str, at: int) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(PIPELINE + tables)
    told = {"error": "ConfigInvalid", "op": "read", "subject": "points", "problem": "too short"}
    fault = Fault.model_validate_json(json.dumps({**told, "loc": ["filters", 1, "points", 0]}))
    error = Loaded(path).explain()("door", fault)
    line = PIPELINE.count("\n") + at
    assert str(error).startswith(f"{path}:{line}: pipelines.0.filters.1.points.0: too short")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NAMED.replace('"yard"', '"Yard"', 1), "agent.toml:2: sources.0.name: String should match pattern"),
        (NAMED.replace('"yard"', '"gate"', 1), "agent.toml:8: pipelines.0.source: there is no source 'yard'"),
        (PIPELINE.replace('{ kind = "synthetic", fps = 5 }', '"yard"'), "agent.toml:4: pipelines.0.source: "),
        (NAMED + SOURCE, "agent.toml:15: sources.1.name: another source is named 'yard', too"),
        (SOURCE + PIPELINE, "agent.toml:2: sources.0.name: no pipeline uses 'yard'"),
        (NAMED.replace("kind", "kin"), "agent.toml:1: sources.0.kind: this key is missing"),
        (
            SOURCE + "[[sources.privacy]]\npoints = [[0, 0]]\n" + USERS,
            "agent.toml:6: sources.0.privacy.0.points: A list should have at least 2 items",
        ),
    ],
)
def test_a_wrong_name_is_told_with_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse(text, "agent.toml")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
