"""Settings from environment variables, over those of the file."""

from __future__ import annotations

from typing import Any

import pytest

from agent.config import environment
from agent.config.settings import Settings
from agent.errors import ConfigInvalid


def over(tables: dict[str, Any], **variables: str) -> dict[str, Any]:
    return environment.laid_over(
        tables, Settings, {f"EDGE_AGENT__{name}": value for name, value in variables.items()}
    )


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, {}),
        ({"PROFILE": "pi5"}, {"profile": "pi5"}),
        ({"PROFILE": "{}"}, {"profile": "{}"}),
        ({"MQTT__PORT": "1884"}, {"mqtt": {"port": "1884"}}),
        ({"MQTT": '{"port": 1884}'}, {"mqtt": {"port": 1884}}),
        ({"MQTT__HOST": "b", "MQTT": '{"host": "a", "port": 1}'}, {"mqtt": {"host": "b", "port": 1}}),
        ({"mqtt__host": "b"}, {"mqtt": {"host": "b"}}),
        ({"DEVICE__GROUPS": '["a", "b"]'}, {"device": {"groups": ["a", "b"]}}),
        ({"PIPELINES": "[]"}, {"pipelines": []}),
        ({"PIPELINES__0__NAME": "x"}, {"pipelines": {"0": {"name": "x"}}}),
        ({"GOVERNOR__SOFT_C": "60"}, {"governor": {"soft_c": "60"}}),
        ({"MQTT__NONSENSE": "x"}, {"mqtt": {"nonsense": "x"}}),
        ({"NONSENSE": "x"}, {}),
        ({"": "x"}, {}),
    ],
)
def test_a_variable_sets_the_key_that_its_name_says(
    variables: dict[str, str], wanted: dict[str, Any]
) -> None:
    assert over({}, **variables) == wanted


def test_the_files_other_keys_stay_and_the_file_itself_is_not_changed() -> None:
    tables = {"mqtt": {"host": "a", "port": 1}, "log": {"level": "debug"}}
    found = over(tables, MQTT__HOST="b")
    assert found == {"mqtt": {"host": "b", "port": 1}, "log": {"level": "debug"}}
    assert tables["mqtt"] == {"host": "a", "port": 1}


@pytest.mark.parametrize("name", ["STORE", "MQTT", "DEVICE__GROUPS"])
def test_a_table_that_is_no_json_names_the_variable_and_not_its_value(name: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"environment EDGE_AGENT__{name}: no valid JSON") as found:
        over({}, **{name: "hush"})
    assert "hush" not in str(found.value)


def test_other_variables_are_nobodys_settings() -> None:
    assert environment.laid_over({}, Settings, {"MQTT__HOST": "b", "EDGE_AGENT_MQTT__HOST": "b"}) == {}


@pytest.mark.parametrize("value", ['{"path": "a\\u0000b"}', '[["\\u0000"]]', "[" * 1000 + "]" * 1000])
def test_json_that_no_file_could_hold_is_refused_and_names_the_variable(value: str) -> None:
    with pytest.raises(ConfigInvalid, match="environment EDGE_AGENT__STORE: "):
        over({}, STORE=value)


@pytest.mark.parametrize(("name", "value"), [("STORE__PATH", "\udcff"), ("MQTT__\udcff__A", "1")])
def test_a_text_that_is_no_utf_8_is_refused_before_anybody_is_told_of_it(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid, match="no UTF-8 text"):
        over({}, **{name: value})
