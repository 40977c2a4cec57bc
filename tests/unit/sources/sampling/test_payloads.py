"""Samples in messages: numbers, JSON and text, whoever has written them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.sources import mqtt
from agent.sources.sampling.payloads import Json, Number, Text, tokens
from agent.types import Needs

KEYS = st.text(max_size=5) | st.sampled_from(["~", "/", "~1", "a/b", "0"])
DOCUMENTS = st.recursive(
    st.floats(allow_nan=False) | st.integers(-(2**70), 2**70),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


def leaves(document: Any, pointer: str = "") -> list[tuple[str, float]]:
    """Give each number with its JSON pointer."""
    if isinstance(document, dict):
        parts = [(key.replace("~", "~0").replace("/", "~1"), value) for key, value in document.items()]
    elif isinstance(document, list):
        parts = [(str(at), value) for at, value in enumerate(document)]
    else:
        return [(pointer, float(document))]
    return [leaf for key, value in parts for leaf in leaves(value, f"{pointer}/{key}")]


@given(DOCUMENTS)
def test_each_number_of_a_document_is_found_by_its_pointer(document: Any) -> None:
    expected = leaves(document)
    reader = Json([pointer for pointer, _ in expected])
    assert reader.channels == len(expected)
    assert reader.read(json.dumps(document).encode()) == tuple(number for _, number in expected)


@given(st.binary(max_size=300))
@example(b"[" * 65536)
@example(b"1e999")
@example(b"9" * 400)
@example(b"9" * 60000)
@example(b'{"x": true}')
@example(b'{"x": "1"}')
@example(b"NaN")
def test_no_message_does_more_than_be_a_sample_or_be_refused_in_a_short_line(payload: bytes) -> None:
    for reader in (Number(), Json(["/x"]), Json([""]), Text(r"T=(?P<t>\S*)( H=(?P<h>\S+))?")):
        found = reader.read(payload)
        if isinstance(found, str):
            assert len(found) < 400
            assert "\n" not in found
        else:
            assert len(found) == reader.channels


@pytest.mark.parametrize(
    ("payload", "found"), [(b" 21.5\n", 21.5), (b"-3", -3), (b"1e3", 1000), (b"", None), (b"on", None)]
)
def test_a_number_is_read_as_people_write_it(payload: bytes, found: float | None) -> None:
    read = Number().read(payload)
    assert read == (found,) if found is not None else isinstance(read, str)


def test_what_is_no_number_is_not_taken_for_one() -> None:
    reader = Json(["/a/1", "/b"])
    assert reader.read(b'{"a": [1, 2], "b": 3}') == (2, 3)
    assert reader.read(b'{"a": [1], "b": 3}') == "a message has no number at '/a/1': '{\"a\": [1], \"b\": 3}'"
    assert isinstance(reader.read(b'{"a": [1, true], "b": 3}'), str)
    assert isinstance(reader.read(b'{"a": {"1": 5}, "b": "3"}'), str)
    found = Json([""]).read(b"NaN")
    assert not isinstance(found, str)
    assert math.isnan(found[0])


def test_text_is_read_by_its_groups() -> None:
    reader = Text(r"T=(?P<t>\S+) H=(?P<h>\d+)")
    assert reader.read(b"T=21.5 H=40\r\n") == (21.5, 40)
    assert reader.read(b"T=21.5") == "a message does not fit the pattern: 'T=21.5'"
    assert reader.read(b"T=x H=1") == "a message holds no number where one is named: 'T=x H=1'"


@pytest.mark.parametrize(("pointer", "path"), [("", ()), ("/", ("",)), ("/a~1b/~01", ("a/b", "~1"))])
def test_a_pointer_is_taken_apart_as_its_standard_says(pointer: str, path: tuple[str, ...]) -> None:
    assert tokens(pointer) == path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"topics": ["a/#/b"]}, "no topic filter"),
        ({"topics": ["a+"]}, "no topic filter"),
        ({"topics": []}, "at least 1 item"),
        ({"topics": ["a\n"]}, "pattern"),
        ({"channels": ["x"]}, "no JSON pointer: it begins with /"),
        ({"channels": ["/~2"]}, "write ~0 for ~"),
        ({"channels": ["/x"], "pattern": "(?P<x>.)"}, "or neither"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "x"}, "names no channel"),
        ({"ca_file": "x"}, "for tls = true"),
        ({"host": "mqtt://x"}, "pattern"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        mqtt.Options(**{"rate": 1, "window": 1, "host": "broker", "topics": ["a/+/#"], **options})


def test_it_needs_the_network_and_its_files() -> None:
    given = {"rate": 1, "window": 1, "host": "broker", "topics": ["a"]}
    assert mqtt.needs(mqtt.Options(**given)) == Needs(network=True)
    more = mqtt.Options(**given, tls=True, login="/run/login", ca_file="/etc/ca.pem")
    assert mqtt.needs(more) == Needs(read=("/run/login", "/etc/ca.pem"), network=True)
    assert (mqtt.Options(**given).address, more.address) == (("broker", 1883), ("broker", 8883))
