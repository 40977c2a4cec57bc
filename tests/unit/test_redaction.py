from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.redaction import Redactor, is_secret, secrets_in, secrets_of_environment

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open rtsp://admin:hunter2@cam.local/1: gone", "open rtsp://***@cam.local/1: gone"),
        ("open rtsp://admin:hun@t/er2@cam.local/1", "open rtsp://***@cam.local/1"),
        ("mqtt.password=hunter2 host=b", "mqtt.password=*** host=b"),
        ('{"password": "hun ter2", "port": 1}', '{"password": "***", "port": 1}'),
        ("Authorization: Basic YWRtaW46aHVudGVyMg==", "Authorization: Basic ***"),
        ("GET /snap?user=a&pwd=hunter2&size=3", "GET /snap?user=***&pwd=***&size=3"),
        (f"read {PEM} of x", "read *** of x"),
        ("EDGE_AGENT__MQTT__PASSWORD=hunter2", "EDGE_AGENT__MQTT__PASSWORD=***"),
        ("key=ab12 refusal=signature", "key=ab12 refusal=signature"),
        ("lane.started door pid=71", "lane.started door pid=71"),
    ],
)
def test_what_looks_like_a_secret_is_replaced_and_the_rest_stays(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


@given(st.text("abc", min_size=4), st.text("abc"), st.text("abc"))
def test_a_known_secret_is_gone_wherever_it_stands(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret]).text(before + secret + after)


def test_a_configuration_keeps_its_form_and_loses_its_secrets() -> None:
    given = {
        "mqtt": {"host": "b", "password": "hunter2", "key_file": "k.pem", "tls": True},
        "sources": [{"url": "rtsp://a:pa55@c/1", "password_file": "login"}],
    }
    assert Redactor(secrets_in(given)).value(given) == {
        "mqtt": {"host": "b", "password": "***", "key_file": "k.pem", "tls": True},
        "sources": [{"url": "rtsp://***@c/1", "password_file": "login"}],
    }
    assert set(secrets_in(given)) == {"hunter2", "a:pa55", "pa55"}


def test_secrets_of_the_environment_are_known_by_their_names() -> None:
    environment = {
        "EDGE_AGENT__MQTT__PASSWORD": "p1",
        "HOME": "/root",
        "SOME_TOKEN": "t1",
        "PWD": "/etc/edge-agent",
    }
    assert set(secrets_of_environment(environment)) == {"p1", "t1"}


def test_the_place_of_a_secret_is_none() -> None:
    assert is_secret("api_key")
    assert not is_secret("password_file")
    assert not is_secret("device_key")


def test_a_redactor_does_not_tell_what_it_knows() -> None:
    assert "hunter2" not in repr(Redactor(["hunter2"]))
