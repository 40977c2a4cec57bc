"""The manifest: what is accepted, and how the rest is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import manifest
from agent.errors import ManifestInvalid

HASH = "ab" * 32
GOLDEN = {"input": "golden/0.npy", "sha256": HASH, "expect": [{"label": "star"}], "tol": 0.1}


def sample(**changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "glyphs",
        "version": "1.2.0",
        "task": "classification",
        "license": "Apache-2.0",
        "model": {"path": "glyphs.tflite", "sha256": HASH, "size": 100},
        **changes,
    }


def parse(**changes: Any) -> manifest.Manifest:
    return manifest.parse(json.dumps(sample(**changes)).encode())


def test_a_full_manifest_is_read() -> None:
    found = parse(
        labels={"path": "text/labels.txt", "sha256": HASH},
        pre={"resize": "stretch", "color": "bgr", "mean": [127.5], "std": [127, 127, 127]},
        post={"kind": "classification", "top_k": 3},
        golden=[GOLDEN],
        runtime={"name": "ai-edge-litert"},
    )
    assert (found.name, found.version, found.model.size) == ("glyphs", "1.2.0", 100)
    assert found.pre.std == (127, 127, 127)
    assert found.post is not None
    assert found.post.options == {"top_k": 3}


def test_what_may_be_left_out_has_its_defaults() -> None:
    found = parse(labels=None)
    assert found.labels is None
    assert found.pre == manifest.Pre(resize="stretch", color="rgb", mean=None, std=None)
    assert found.golden == ()


def test_the_decoder_is_the_one_of_post_else_that_of_the_task() -> None:
    assert parse().decoder == "classification"
    assert parse(post={"kind": "tensor"}).decoder == "tensor"


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "", ".hidden", "a\\b", "a/", "a\0b", "x" * 256],
)
def test_a_path_that_could_lead_out_of_the_bundle_is_refused(path: str) -> None:
    with pytest.raises(ManifestInvalid, match=r"model\.path: "):
        parse(model={"path": path, "sha256": HASH, "size": 1})


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"schema": 2}, "schema"),
        ({"schema": "1"}, "schema"),
        ({"name": "A b"}, "name"),
        ({"name": "x\n"}, "name"),
        ({"version": ""}, "version"),
        ({"license": ""}, "license"),
        ({"extra": 1}, "extra"),
        ({"model": {"path": "x", "sha256": HASH.upper(), "size": 1}}, r"model\.sha256"),
        ({"model": {"path": "x", "sha256": HASH, "size": 0}}, r"model\.size"),
        ({"model": {"path": "x", "sha256": HASH, "size": "1"}}, r"model\.size"),
        ({"model": {"path": "x", "sha256": HASH, "size": (512 << 20) + 1}}, r"model\.size"),
        ({"labels": {"path": "x"}}, r"labels\.sha256"),
        ({"pre": {"resize": "letterbox"}}, r"pre\.resize"),
        ({"pre": {"std": [0]}}, r"pre\.std\.0"),
        ({"pre": {"mean": []}}, r"pre\.mean"),
        ({"post": {"top_k": 3}}, r"post\.kind"),
        ({"golden": [GOLDEN] * 65}, "golden"),
        ({"golden": [{**GOLDEN, "input": "../x"}]}, r"golden\.0\.input"),
        ({"golden": [{**GOLDEN, "expect": {"index": 3}}]}, r"golden\.0\.expect"),
        ({"golden": [{**GOLDEN, "tol": 0}]}, r"golden\.0\.tol"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ManifestInvalid, match=f": {where}: ") as caught:
        parse(**changes)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_several_wrong_keys_are_counted() -> None:
    with pytest.raises(ManifestInvalid, match=r"and 1 more"):
        parse(name="?", version="?")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"schema":1}', b"NaN"]
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        manifest.parse(data)


def test_a_huge_manifest_is_not_even_parsed() -> None:
    with pytest.raises(ManifestInvalid, match="more than"):
        manifest.parse(b" " * (manifest.MAX_BYTES + 1))


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        manifest.parse(data)
    assert "\n" not in str(caught.value)
