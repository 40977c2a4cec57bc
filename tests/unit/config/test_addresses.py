"""Addresses are taken apart or refused, and nothing else comes of them."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given as drawn

from agent.config.addresses import Address, given, web
from agent.config.settings import parse
from agent.errors import ConfigInvalid
from tests.simulators.addresses import odd_addresses, taken

PIPELINE = '[[pipelines]]\nname = "door"\nmodel = "glyphs"\nsource = { kind = "synthetic" }\n'


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://mirror.example/fleet", Address("https", "mirror.example", None, "/fleet")),
        ("HTTP://192.0.2.1:8080", Address("http", "192.0.2.1", 8080, "")),
        ("https://[::1]:443/", Address("https", "::1", 443, "/")),
    ],
)
def test_an_address_is_taken_apart(text: str, address: Address) -> None:
    assert web(text) == address
    assert given(text, "key") == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://x", "it does not begin with https:// or http://"),
        ("mirror.example", "it does not begin with https:// or http://"),
        ("http:mirror.example://x", "it does not begin with https:// or http://"),
        ("http://[bad", "it names no server"),
        ("http:///fleet", "it names no server"),
        ("http://a..b", "it names no server"),
        ("http://[1]", "no IPv6 address"),
        ("http://x:99999", "its port is no number from 1 to 65535"),
        ("http://x:0", "its port is no number from 1 to 65535"),
        ("http://x:abc", "its port is no number from 1 to 65535"),
        ("http://x/?", "it holds a '?' or '#'"),
        ("http://x/#a", "it holds a '?' or '#'"),
        ("http://me:secret@x", "it holds a user's name or password"),
        (" http://x", "it holds a space"),
        ("http://ü.example", "it holds a space, or a character that has to be written as %XX or xn--"),
        ("http://x/" + "a" * 2048, "it has more than 2048 characters"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ConfigInvalid, match="no address of a web server") as caught:
        given(text, "models.mirror")
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "models.mirror" in str(caught.value)


@drawn(odd_addresses())
def test_an_odd_address_is_taken_or_is_a_wrong_configuration(text: str) -> None:
    for broker in (False, True):
        found = taken(partial(given, text, "--metadata-url", broker=broker))
        if isinstance(found, ConfigInvalid):
            assert str(found).startswith("use --metadata-url: no address of a ")
            assert str(found).isprintable()
        else:
            assert found.scheme in {"https", "http", *(["mqtt"] if broker else [])}
            assert found.host


@drawn(odd_addresses())
def test_a_configured_mirror_is_taken_or_its_line_is_named(text: str) -> None:
    table = f"[models]\nmirror = {json.dumps(text, ensure_ascii=False)}\n" if text.isprintable() else ""
    found = taken(partial(parse, table + PIPELINE, "agent.toml"))
    if isinstance(found, ConfigInvalid):
        assert str(found).startswith("agent.toml:2: models.mirror: no address of a web server: ")
        assert found.exit_code == 78
    elif table and text:
        assert web(text).host
