"""The manifest: what is accepted, and how the rest is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import manifest
from agent.errors import ManifestInvalid

HASH = "ab" * 32
GOLDEN = {"input": "golden/0.npy", "expect": [{"label": "star"}], "tol": 0.1}


def listed(path: str, **changes: Any) -> dict[str, Any]:
    return {"path": path, "sha256": HASH, "size": 100, **changes}


def sample(**changes: Any) -> dict[str, Any]:
    return {
        "schema": 2,
        "name": "glyphs",
        "version": "1.2.0",
        "task": "classification",
        "license": "Apache-2.0",
        "files": [listed("glyphs.tflite"), listed("text/labels.txt"), listed("golden/0.npy")],
        "model": "glyphs.tflite",
        **changes,
    }


def parse(**changes: Any) -> manifest.Manifest:
    return manifest.parse(json.dumps(sample(**changes)).encode())


def test_a_full_manifest_is_read() -> None:
    found = parse(
        labels="text/labels.txt",
        variants={"edgetpu": "text/labels.txt"},
        pre={"resize": "stretch", "color": "bgr", "mean": [127.5], "std": [127, 127, 127]},
        post={"kind": "classification", "top_k": 3},
        golden=[GOLDEN],
        runtime={"name": "ai-edge-litert"},
    )
    assert (found.name, found.version, found.model) == ("glyphs", "1.2.0", "glyphs.tflite")
    assert found.pre.std == (127, 127, 127)
    assert found.post is not None
    assert found.post.options == {"top_k": 3}


def test_a_model_may_take_features_of_windows() -> None:
    told = {
        "features": {"kind": "micro_speech"},
        "normalise": {"kind": "mean_std", "mean": [13], "std": [6.5]},
    }
    found = parse(pre=told).pre
    assert found.model_dump(exclude_defaults=True, mode="json") == told
    assert found.of_windows


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
    with pytest.raises(ManifestInvalid, match=r"model: "):
        parse(model=path)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"schema": 1}, "schema"),
        ({"schema": "2"}, "schema"),
        ({"name": "A b"}, "name"),
        ({"name": "x\n"}, "name"),
        ({"version": ""}, "version"),
        ({"license": ""}, "license"),
        ({"extra": 1}, "extra"),
        ({"files": [listed("x", sha256=HASH.upper())]}, r"files\.0\.sha256"),
        ({"files": [listed("x", size=0)]}, r"files\.0\.size"),
        ({"files": [listed("x", size="1")]}, r"files\.0\.size"),
        ({"files": [listed("x", size=(512 << 20) + 1)]}, r"files\.0\.size"),
        ({"files": [listed("x", chunks=[HASH])]}, r"files\.0"),
        ({"files": [listed("x", size=200_000)]}, r"files\.0"),
        ({"files": []}, "files"),
        ({"labels": {"path": "x"}}, "labels"),
        ({"requires": {"agent": "new"}}, r"requires\.agent"),
        ({"budget": {"p95_ms": 0}}, r"budget\.p95_ms"),
        ({"pre": {"resize": "zoom"}}, r"pre\.resize"),
        ({"pre": {"std": [0]}}, r"pre\.std\.0"),
        ({"pre": {"mean": []}}, r"pre\.mean"),
        ({"pre": {"features": {"kind": "micro_speech", "bands": 40}}}, r"pre\.features\.micro_speech\.bands"),
        ({"pre": {"normalise": {"kind": "zscore"}, "color": "bgr"}}, "pre"),
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


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": "other.tflite"}, "other.tflite is named, and not listed"),
        ({"labels": "other.txt"}, "other.txt is named, and not listed"),
        ({"variants": {"edgetpu": "tpu.tflite"}}, "tpu.tflite is named, and not listed"),
        ({"golden": [{**GOLDEN, "input": "golden/9.npy"}]}, "golden/9.npy is named, and not listed"),
        ({"files": [listed("glyphs.tflite"), listed("glyphs.tflite")]}, "listed twice"),
        ({"files": [listed("glyphs.tflite"), listed("manifest.json")]}, "the manifest's own"),
    ],
)
def test_every_file_that_is_named_is_listed_once(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ManifestInvalid, match=problem):
        parse(**changes)


@given(st.binary(min_size=1, max_size=9000), st.integers(1024, 4096))
def test_the_chunks_of_an_entry_are_the_files_pieces(content: bytes, chunk_size: int) -> None:
    found = manifest.entry("a", content, chunk_size)
    pieces = [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)]
    assert list(found.hashes) == [hashlib.sha256(piece).hexdigest() for piece in pieces]
    assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert bool(found.chunks) == (len(pieces) > 1)


def test_several_wrong_keys_are_counted() -> None:
    with pytest.raises(ManifestInvalid, match=r"and 1 more"):
        parse(name="?", version="?")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"schema":2}', b"NaN"]
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
