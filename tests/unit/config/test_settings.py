from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.boards.profiles import Profile, Thermal
from agent.config.errors import ENV_PREFIX, problem
from agent.config.pipelines import Plugin
from agent.config.settings import Settings, parse
from agent.config.tables import Deadlines
from agent.errors import EXIT_CONFIG, ConfigInvalid
from agent.plan import Plan

PIPELINE = """\
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic", fps = 5 }
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(ENV_PREFIX):
            monkeypatch.delenv(name)


def refused(text: str) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        parse(text, "agent.toml")
    return caught.value


def test_a_pipeline_is_all_that_must_be_said() -> None:
    settings = parse(PIPELINE, "agent.toml")
    [pipeline] = settings.pipelines
    assert (pipeline.name, pipeline.model, pipeline.task) == ("door", "glyphs", "")
    assert isinstance(pipeline.source, Plugin)
    assert (pipeline.source.kind, pipeline.source.options) == ("synthetic", {"fps": 5})
    assert (pipeline.backend.kind, pipeline.backend.options) == ("tflite", {})
    assert settings.mqtt is None
    assert settings.deadlines is None
    assert settings.store.commit_interval_s == 0.5


def test_settings_cannot_be_changed() -> None:
    settings = parse(PIPELINE, "agent.toml")
    with pytest.raises(ValueError, match="frozen"):
        settings.profile = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = = 1\n" + PIPELINE, "agent.toml:1: no valid TOML: Invalid value"),
        (PIPELINE + "[store\n", "agent.toml:5: no valid TOML: Expected ']'"),
        ('\n\npath = "open', "agent.toml:3: no valid TOML: Unterminated string"),
        (PIPELINE + "[store]\n[store]\n", "agent.toml:6: no valid TOML: Cannot declare"),
        ("x = " + "[" * 3000, "agent.toml:1: no valid TOML"),
        ("\nx = " + "9" * 5000, "agent.toml:2: no valid TOML"),
        ("colour = 1\n" + PIPELINE, "agent.toml:1: colour: there is no such key"),
        ("_env_prefix = 'X'\n" + PIPELINE, "agent.toml:1: _env_prefix: there is no such key"),
        (PIPELINE + "[mqtt]\nhots = 'x'\nhost = 'y'\n", "agent.toml:6: mqtt.hots: there is no such key"),
        (PIPELINE + "[mqqt.inner]\nx = 1\n", "agent.toml:5: mqqt: there is no such key"),
        (PIPELINE + "'a\\b' = 1\n", r"agent.toml:5: pipelines.0.a\b: there is no such key"),
        (PIPELINE + '"a\\nb" = 1\n', r"agent.toml:5: pipelines.0.'a\nb': there is no such key"),
        (PIPELINE + "[mqtt]\nport = 1884\n", "agent.toml:5: mqtt.host: this key is missing"),
        (PIPELINE + PIPELINE, "agent.toml:6: pipelines.1.name: another pipeline is named 'door', too"),
        (PIPELINE + "[mqtt]\nhost = ''", "agent.toml:6: mqtt.host: String should have at least 1 character"),
        (PIPELINE + "[mqtt]\nhost = 'b'\nport = 0", "agent.toml:7: mqtt.port: Input should be greater than"),
        (PIPELINE + "[mqtt]\nhost = 'b'\nport = 'x'", "agent.toml:7: mqtt.port: Input should be a valid int"),
        (
            PIPELINE + "[mqtt]\nhost = 'b'\nprotocol = '4'",
            "agent.toml:7: mqtt.protocol: Input should be 'auto'",
        ),
        (
            PIPELINE + "[mqtt]\nhost = 'b'\ncert_file = 'c'",
            "agent.toml:5: mqtt: cert_file and key_file go tog",
        ),
        (
            PIPELINE + "[mqtt]\nhost = 'b'\ncert_file = 'c'\nkey_file = 'k'",
            "agent.toml:5: mqtt: cert_file needs tls = true, or ca_file",
        ),
        (
            PIPELINE + "[deadlines]\ninvoke_s = 0\n",
            "agent.toml:6: deadlines.invoke_s: Input should be greater",
        ),
        (
            PIPELINE + "[deadlines]\ninvoke_s = nan\n",
            "agent.toml:6: deadlines.invoke_s: Input should be less",
        ),
        (
            PIPELINE + "[metrics]\nvitals_s = 0.000001\n",
            "agent.toml:6: metrics.vitals_s: should be 0, or 1 at least",
        ),
        (PIPELINE + "[device]\nid = 'A b'\n", "agent.toml:6: device.id: String should match pattern"),
        (PIPELINE.replace('"door"', '"Door"'), "agent.toml:2: pipelines.0.name: String should match pattern"),
        (PIPELINE.replace("kind", "kin"), "agent.toml:4: pipelines.0.source.kind: this key is missing"),
        (PIPELINE.replace("{ kind", "5 #"), "agent.toml:4: pipelines.0.source: Input should be a valid dict"),
        (PIPELINE + "max_rate = -1\n", "agent.toml:5: pipelines.0.max_rate: Input should be greater"),
        ("pipelines = []", "agent.toml:1: pipelines: A list should have at least 1 item, not 0"),
        ("[log]\nlevel = 'loud'\n" + PIPELINE, "agent.toml:2: log.level: Input should be 'debug'"),
        ("", "agent.toml: pipelines: this key is missing"),
    ],
)
def test_an_error_names_file_line_and_key(text: str, said: str) -> None:
    error = refused(text)
    assert str(error).startswith(said)
    assert "\n" not in str(error)
    assert error.exit_code == EXIT_CONFIG


def test_a_wrong_key_tells_where_to_read_on() -> None:
    assert str(refused("x = 1\n" + PIPELINE)).endswith("there is no such key. See docs/configuration.md")


def test_each_of_several_problems_has_its_line() -> None:
    error = refused("[store]\nblock_results = 0\nsegment_bytes = 1\n" + PIPELINE.replace("model", "modell"))
    lines = [str(error), *error.also]
    assert [line.split(" ")[0] for line in lines] == [
        "agent.toml:2:",
        "agent.toml:3:",
        "agent.toml:4:",
        "agent.toml:6:",
    ]
    assert str(error).startswith("agent.toml:2: store.block_results: ")
    assert error.loc == ("store", "block_results")


def test_the_environment_goes_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_AGENT__MQTT__HOST", "broker.example")
    monkeypatch.setenv("edge_agent__store__block_results", "7")
    settings = parse('[mqtt]\nhost = "other"\nport = 1884\n' + PIPELINE, "agent.toml")
    assert settings.mqtt is not None
    assert (settings.mqtt.host, settings.mqtt.port) == ("broker.example", 1884)
    assert settings.store.block_results == 7


def test_the_environment_alone_makes_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_AGENT__MQTT__HOST", "broker.example")
    settings = parse(PIPELINE, "agent.toml")
    assert settings.mqtt is not None
    assert settings.mqtt.host == "broker.example"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EDGE_AGENT__MQTT__PORT", "x", "environment EDGE_AGENT__MQTT__PORT: mqtt.port: Input should be"),
        ("edge_agent__mqtt__port", "x", "environment edge_agent__mqtt__port: mqtt.port: Input should be"),
        (
            "EDGE_AGENT__MQTT__COLOUR",
            "x",
            "environment EDGE_AGENT__MQTT__COLOUR: mqtt.colour: there is no such",
        ),
        (
            "EDGE_AGENT__MQQT__HOST",
            "x",
            "environment EDGE_AGENT__MQQT__HOST: mqqt.host: there is no such key",
        ),
        ("EDGE_AGENT__STORE", "x", "environment EDGE_AGENT__STORE: no valid JSON"),
        ("EDGE_AGENT__MQTT", '{"port": "x"}', "environment EDGE_AGENT__MQTT: mqtt.port: Input should be"),
        ("EDGE_AGENT__MQTT", '{"host": "x"}', "agent.toml:3: mqtt.keepalive_s: Input should be"),
        (
            "EDGE_AGENT__PIPELINES",
            '[{"name": 1}]',
            "environment EDGE_AGENT__PIPELINES: pipelines.0.name: Inp",
        ),
    ],
)
def test_an_error_of_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    keepalive = 1 if said.startswith("agent.toml") else 30
    error = refused(f'[mqtt]\nhost = "b"\nkeepalive_s = {keepalive}\n' + PIPELINE)
    assert str(error).startswith(said)


def test_what_a_worker_finds_wrong_in_its_options_gets_a_line_too() -> None:
    text = (
        PIPELINE + '[pipelines.decoder]\ntop_k = 5\n[[pipelines]]\nname = "b"\n[pipelines.decoder]\ntop = 1\n'
    )
    error = problem(text, "agent.toml", ("pipelines", 1, "decoder", "top"), "Extra inputs are not permitted")
    assert (
        str(error)
        == "agent.toml:10: pipelines.1.decoder.top: there is no such key. See docs/configuration.md"
    )


def test_a_password_shows_nowhere() -> None:
    settings = parse('[mqtt]\nhost = "b"\npassword = "hush"\n' + PIPELINE, "agent.toml")
    assert settings.mqtt is not None
    assert settings.mqtt.password.get_secret_value() == "hush"
    assert "hush" not in repr(settings) + str(settings.model_dump_json())
    error = refused('[mqtt]\npassword = ["hush"]\n' + PIPELINE)
    assert "hush" not in " ".join([str(error), *error.also])


def test_more_pipelines_than_a_report_has_room_for_are_refused_and_end_no_agent() -> None:
    one = '[[pipelines]]\nname = "p{}"\nmodel = "m"\nsource = {{ kind = "synthetic" }}\n'
    assert len(parse("".join(map(one.format, range(64))), "agent.toml").pipelines) == 64
    with pytest.raises(ConfigInvalid, match="pipelines: A list should have at most 64"):
        parse("".join(map(one.format, range(65))), "agent.toml")


def test_every_default_deadline_is_positive() -> None:
    assert all(value > 0 for value in Deadlines().model_dump().values())


LINES = [
    "[mqtt]",
    "[device]",
    "[[pipelines]]",
    "[[sources]]",
    "source = 'a'",
    "[pipelines.source]",
    "[x]",
    "host = 'b'",
    "port = 0",
    "id = 'A'",
]
LINES += [
    "name = 'a'",
    "model = 'm'",
    "kind = 'k'",
    "source = {}",
    "x = [",
    "]",
    '"""',
    "# x",
    "",
    "fps = -1",
    "x.y = 1",
]


def complaints(text: str) -> list[str]:
    try:
        assert isinstance(parse(text, "agent.toml"), Settings)
    except ConfigInvalid as error:
        return [str(error), *error.also]
    return []


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_any_lines_give_settings_or_lines_that_name_the_file(lines: list[str]) -> None:
    for complaint in complaints("\n".join(lines)):
        assert complaint.startswith("agent.toml")
        assert "\n" not in complaint


def test_limits_of_heat_go_over_the_profiles_and_stay_in_order() -> None:
    profile = Profile(name="b", description="b", tested=False, thermal=Thermal(soft_c=75, hard_c=85))

    def limits(table: str) -> tuple[float, float]:
        settings = parse(f"[governor]\n{table}\n{PIPELINE}", "agent.toml")
        plan = Plan(settings, Path(), profile, "d", Path(), Path(), ())
        return plan.thermal.soft_c, plan.thermal.hard_c

    assert limits("") == (75, 85)
    assert limits("soft_c = 60") == (60, 85)
    assert limits("soft_c = 90") == (90, 91)
    assert limits("hard_c = 70") == (69, 70)
    assert limits("soft_c = 40\nhard_c = 50") == (40, 50)
    assert "soft_c must be below hard_c" in str(refused("[governor]\nsoft_c = 50\nhard_c = 50\n" + PIPELINE))


@pytest.mark.parametrize("table", ['heat = ["sleep"]', "rates = []", "rates = [1.0]", "rates = [0.0]"])
def test_what_the_governor_cannot_do_is_refused(table: str) -> None:
    assert "governor" in str(refused(f"[governor]\n{table}\n{PIPELINE}"))
