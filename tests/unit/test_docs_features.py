"""docs/features.md says what the code says: kinds, keys, defaults, choices; and its examples are read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.config import settings as config
from agent.config.preparing import pre_of
from agent.features.tables import LogMel, MeanStd, Mfcc, MicroSpeech, MinMax, Spectrum, Statistics, Zscore
from agent.fleet.packing import recipe

if TYPE_CHECKING:
    from pydantic import BaseModel

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "features.md").read_text()
HOWTO = (DOCS / "howto/spot-keywords.md").read_text()
KINDS: dict[str, type[BaseModel]] = {
    "log_mel": LogMel,
    "mfcc": Mfcc,
    "micro_speech": MicroSpeech,
    "spectrum": Spectrum,
    "statistics": Statistics,
}


def rows(kind: str) -> dict[str, list[str]]:
    """Give the row of each key below a kind's heading."""
    body = PAGE.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    assert body, kind
    cells = [
        [one.strip() for one in line.strip("|").split(" |")]
        for line in body.splitlines()
        if line[:3] == "| `"
    ]
    return {row[0].strip("`"): row for row in cells}


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_features_is_documented_with_its_default_and_choices(kind: str) -> None:
    documented = rows(kind) | (rows("log_mel") if kind == "mfcc" else {})
    keys: dict[str, Any] = KINDS[kind].model_json_schema()["properties"]
    for name, key in keys.items():
        if name == "kind":
            continue
        _, default, choices, meaning = documented[name]
        assert meaning, name
        assert (default == "required") == ("default" not in key), name
        if isinstance(wanted := key.get("default"), str | bool | int | float):
            assert tomllib.loads(f"x = {default.strip('`')}")["x"] == wanted, name
        told = key.get("enum") or key.get("items", {}).get("enum", [])
        told = told or next((one["enum"] for one in key.get("anyOf", ()) if "enum" in one), [])
        assert [str(one) for one in told] == re.findall(r"`(\w+)`", choices) or not told, name


@pytest.mark.parametrize("told", [MeanStd, Zscore, MinMax])
def test_every_key_of_normalise_is_documented(told: type[BaseModel]) -> None:
    body = PAGE.partition("\n## `normalise`\n")[2].partition("\n## ")[0]
    schema: dict[str, Any] = told.model_json_schema()["properties"]
    for name in (schema["kind"]["const"], *schema):
        assert f"`{name}`" in body or name == "kind"


def test_the_example_of_a_manifest_is_read() -> None:
    [example] = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert pre_of(json.loads("{" + example + "}")["pre"]).of_windows


def test_the_how_tos_configuration_and_recipe_are_read(tmp_path: Path) -> None:
    pipeline, packing = re.findall(r"^```toml\n(.*?)^```", HOWTO, re.MULTILINE | re.DOTALL)
    [ear] = config.parse(pipeline, "agent.toml").pipelines
    assert pre_of(ear.pre).features == MicroSpeech(kind="micro_speech")
    path = tmp_path / "m.toml"
    path.write_text(packing)
    told = recipe.read(path)
    assert told.pre is not None
    assert told.pre.features == MicroSpeech(kind="micro_speech")
