"""Settings laid over the file: what may be set, where it goes, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import pytest

from agent.config import settings as config
from agent.config.overrides import OF_PIPELINE, SETTABLE, check
from agent.config.pipelines import Pipeline
from agent.errors import ConfigInvalid

FILE = """
[mqtt]
host = "broker"
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic" }
decoder = { top = 3 }
max_rate = 5
"""


def parse(**values: Any) -> config.Settings:
    return config.parse(FILE, "agent.toml", values)


def test_settings_go_over_those_of_the_file_and_pipelines_go_by_their_names() -> None:
    found = parse(
        **{
            "pipelines.door.decoder.min_score": 0.5,
            "pipelines.door.gates": [{"kind": "motion"}],
            "pipelines.door.max_rate": None,
            "deadlines.load_s": 9,
            "log.level": "debug",
        }
    )
    [door] = found.pipelines
    assert (door.decoder, door.max_rate) == ({"top": 3, "min_score": 0.5}, 0)
    assert [gate.kind for gate in door.gates] == ["motion"]
    assert found.deadlines is not None
    assert (found.deadlines.load_s, found.log.level) == (9, "debug")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("pipelines.door.max_rate", -1, "Input should be greater than or equal to 0"),
        ("pipelines.door.gates", [{"knd": "motion"}], "0.kind: this key is missing"),
        ("pipelines.gate.max_rate", 1, "there is no pipeline 'gate'. There are: door"),
        ("pipelines.door.gates.kind", "motion", "Input should be a list"),
        ("pipelines.door.max_rate.fast", 1, "is no table here"),
        ("metrics.intervall_s", 1, "there is no such key"),
        ("log.level", "loud", "Input should be"),
        ("pipelines.door.media.on", ["\0"], "a text with a NUL character"),
    ],
)
def test_a_bad_one_is_refused_with_its_key(key: str, value: object, said: str) -> None:
    with pytest.raises(ConfigInvalid, match="override") as refused:
        parse(**{key: value})
    assert str(refused.value).startswith(f"override {key}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [
        "trust.unsigned",
        "models.root",
        "device.id",
        "mqtt.host",
        "mqtt.password",
        "store.path",
        "control.path",
        "commands.allow",
        "host.reboot",
        "profile",
        "sources",
        "pipelines",
        "pipelines.door",
        "models",
        "pipelines.door.source",
        "pipelines.door.source.command",
        "pipelines.door.model",
        "pipelines.door.labels",
        "pipelines.door.stages",
        "pipelines.door.backend",
        "pipelines.door.privacy",
        "pipelines.door.confine",
        "pipelines.door.remote_snapshots",
        "pipelines.0.max_rate",
        "pipelines..max_rate",
        "PIPELINES.door.max_rate",
        "metrics." + "x." * 20,
    ],
)
def test_what_says_whom_to_trust_what_to_hide_or_what_to_run_is_not_the_operators_to_set(key: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        parse(**{key: 1})
    assert key in str(refused.value)


def test_all_that_may_be_set_is_there() -> None:
    assert set(OF_PIPELINE) <= set(Pipeline.model_fields)
    for table, keys in SETTABLE.items():
        assert table in config.Settings.model_fields
        for key in keys:
            check(f"{table}.{'interval_s' if key == '*' else key}")


def test_the_environment_goes_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_AGENT__LOG__LEVEL", "error")
    assert parse(**{"log.level": "debug"}).log.level == "error"


def test_too_many_are_refused() -> None:
    with pytest.raises(ConfigInvalid, match="256 are the most"):
        parse(**{f"metrics.a{number}": 1 for number in range(257)})
