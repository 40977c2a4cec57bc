"""The JSON Schema of the configuration agrees with what the agent accepts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent import plugins
from agent.cli.setup.schema import schema
from agent.config.settings import parse
from agent.errors import ConfigInvalid

PAGE = Path(__file__).resolve().parents[4] / "docs" / "configuration.md"
GOOD = """
profile = "auto"
[mqtt]
host = "broker.example"
[[pipelines]]
name = "door"
model = "glyphs"
[pipelines.source]
kind = "synthetic"
fps = 5.0
[pipelines.decoder]
top_k = 3
[pipelines.pre.features]
kind = "mfcc"
rate = 16000
frame = 480
hop = 160
[pipelines.backend]
kind = "tflite"
threads = 2
[[sources]]
name = "yard"
kind = "synthetic"
seed = 3
[[pipelines]]
name = "yard"
model = "glyphs"
source = "yard"
max_rate = 2.5
gates = [{ kind = "motion", mask = [{ points = [[0, 0], [1, 0.2]] }] }, { kind = "level", threshold = 0.1 }]
[pipelines.decoder.outputs]
boxes = "0"
[pipelines.pre.inputs]
x = "frame"
h = { from = "h_out", initial = 1 }
k = { constant = [1, 2.5] }
"""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    whole = schema()
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole)


def valid(validator: Draft202012Validator, tables: dict[str, Any]) -> bool:
    return bool(validator.is_valid(tables))


def test_a_full_configuration_is_valid(validator: Draft202012Validator) -> None:
    assert [e.message for e in validator.iter_errors(tomllib.loads(GOOD))] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('host = "broker.example"', "port = 1883"),
        ('host = "broker.example"', 'host = "b"\nport = 0'),
        ('host = "broker.example"', 'host = "b"\ncolour = 1'),
        ('profile = "auto"', "colour = 1"),
        ('name = "door"', 'name = "Front Door"'),
        ('kind = "motion"', 'kind = "emotion"'),
        ('kind = "motion"', 'kind = "motion", colour = 1'),
        ('kind = "level", threshold', "threshold"),
        ('name = "door"', ""),
        ('kind = "synthetic"', 'kind = "telepathy"'),
        ('kind = "synthetic"', ""),
        ("fps = 5.0", "fps = -1"),
        ("fps = 5.0", "frames_per_second = 5"),
        ("top_k = 3", "top_k = 0"),
        ("top_k = 3", "topk = 3"),
        ("threads = 2", "threads = 99"),
        ("seed = 3", "sead = 3"),
        ("seed = 3", 'health = "all"'),
        ('source = "yard"', "source = 3"),
        ("max_rate = 2.5", "max_rate = -1"),
        ("max_rate = 2.5", 'filters = [{ kind = "synthetic" }]'),
        ('kind = "level", threshold', "seed"),
        ("max_rate = 2.5", 'alert_on = ["Line crossed"]'),
        ("max_rate = 2.5", 'media = { on = ["Line crossed"] }'),
        ('kind = "mfcc"', 'kind = "wavelet"'),
        ("hop = 160", "hop = 0"),
        ("hop = 160", "hops = 160"),
    ],
)
def test_a_wrong_key_is_not_valid(validator: Draft202012Validator, right: str, wrong: str) -> None:
    assert right in GOOD
    assert not valid(validator, tomllib.loads(GOOD.replace(right, wrong)))


def test_the_schema_knows_the_options_of_every_plugin() -> None:
    text = json.dumps(schema())
    for room in set(plugins.ROOMS) - {"delegates"}:  # theirs stand in device profiles
        for name in plugins.names(room):
            for option in plugins.load(room, name).Options.model_fields:
                assert f'"{option}"' in text


def test_the_schema_has_only_references_that_lead_somewhere() -> None:
    whole = schema()
    references = re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(whole))
    assert references
    assert set(references) <= whole["$defs"].keys()


def test_the_examples_of_the_documentation_are_valid(validator: Draft202012Validator) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    whole = [block for block in blocks if "[[pipelines]]" in block]
    assert whole, "docs/configuration.md has no example with a pipeline"
    for block in whole:
        assert [e.message for e in validator.iter_errors(tomllib.loads(block))] == []
        parse(block, "configuration.md")


def test_what_the_file_itself_refuses_the_schema_refuses_too(validator: Draft202012Validator) -> None:
    bad = GOOD.replace("[mqtt]", "[mqqt]")
    with pytest.raises(ConfigInvalid):
        parse(bad, "agent.toml")
    assert not valid(validator, tomllib.loads(bad))


def test_check_prints_the_schema() -> None:
    command = [sys.executable, "-m", "agent.cli.main", "check", "--schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == schema()
    assert done.stderr == ""
