"""Sources with names: shared by pipelines, and every wrong name told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.settings import Loaded
from agent.config import parse
from agent.errors import ConfigInvalid
from agent.plan import lane_spec
from agent.profiles import Profile
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


def test_a_wrong_option_of_a_named_source_is_told_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(NAMED)
    fault = Fault(error="ConfigInvalid", op="read", subject="fps", problem="too fast", loc=["source", "fps"])
    error = Loaded(path).explain()("cars", fault)
    assert str(error).startswith(f"{path}:4: sources.0.fps: too fast")


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
            "agent.toml:6: sources.0.privacy.0.points: Tuple should have at least 2 items",
        ),
    ],
)
def test_a_wrong_name_is_told_with_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse(text, "agent.toml")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
