"""A bundle's folder before it is published: what would fail on a device is refused, with what to do."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from agent import resources
from agent.errors import AgentError, BundleRefused, ConfigInvalid, ManifestInvalid
from agent.fleet.repository import bundle, documents
from agent.fleet.repository.repository import opened
from agent.fleet.repository.roles import POLICY
from tests.simulators.operating import add, ask, make_bundle, operator

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"m.tflite": b"0123456789" * 500, "g.npy": b"input"}


def read(folder: Path, **allowed: bool) -> bundle.Bundle:
    return bundle.read(folder, **{"allow_float": False, "allow_unproven": False, **allowed})


def edited(folder: Path, **fields: Any) -> Path:
    """Write other words into the manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


@pytest.mark.parametrize("name", sorted(resources.bundled_models()))
def test_the_models_that_come_with_the_agent_can_be_published(name: str) -> None:
    found = read(resources.bundled_models()[name], allow_float=True, allow_unproven=True)
    assert found.title.startswith(f"{name}@")


def test_what_is_in_order_is_told_with_its_digest_and_size(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES, chunk=1024)
    (folder / "notes.txt").write_text("mine")
    (folder / "sub").mkdir()
    (folder / "sub/more").write_text("mine, too")
    found = read(folder)
    facts = found.facts()
    assert (found.title, facts["bytes"], facts["chunks"]) == ("shapes@1.0.0", 5005, 6)
    assert facts["left_out"] == ["notes.txt", "sub/more"]


def test_a_folder_that_is_none_or_has_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="Make one with: edgectl pack"):
        read(tmp_path / "nowhere")
    with pytest.raises(ManifestInvalid, match="No such file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"9" * 5000, "chunk 0 is not what the manifest says"),
        (FILES["m.tflite"][:-1], "chunk 4 is not what the manifest says"),
        (FILES["m.tflite"] + b"0", "chunk 4 is not what the manifest says"),
        (FILES["m.tflite"][:2000] + b"x" + FILES["m.tflite"][2001:], "chunk 1 is not"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES, chunk=1024)
    path = folder / "m.tflite"
    read(folder)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestInvalid, match=problem):
        read(folder)


def test_a_file_that_goes_on_after_its_last_chunk_is_refused(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files={"m.tflite": b"x" * 2048, "g.npy": b"y"}, chunk=1024)
    with (folder / "m.tflite").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ManifestInvalid, match="the manifest says that it has 2048 bytes"):
        read(folder)


def test_a_fifo_and_a_link_that_leads_out_are_refused(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES)
    (folder / "g.npy").unlink()
    os.mkfifo(folder / "g.npy")
    with pytest.raises(ManifestInvalid, match="no regular file"):
        read(folder)
    (folder / "g.npy").unlink()
    (tmp_path / "out").write_bytes(FILES["g.npy"])
    (folder / "g.npy").symlink_to(tmp_path / "out")
    with pytest.raises(ManifestInvalid, match="leads out of the bundle"):
        read(folder)


def test_hashes_that_do_not_agree_with_each_other_are_refused(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES, chunk=1024)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    files[0]["sha256"] = "0" * 64
    with pytest.raises(ManifestInvalid, match="its sha256 is not what the manifest says"):
        read(edited(folder, files=files))


def test_a_model_that_is_not_quantized_or_not_proved_needs_a_word(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES, quantized=False, golden=[])
    with pytest.raises(ManifestInvalid, match=r"not quantized. .*Or give --allow-float"):
        read(folder)
    with pytest.raises(ManifestInvalid, match=r"no golden input proves it.* or give --allow-unproven"):
        read(folder, allow_float=True)
    assert read(folder, allow_float=True, allow_unproven=True).manifest.golden == ()


def test_a_variant_needs_a_twin_for_the_cpu(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES, variants={"edgetpu": "m.tflite"})
    with pytest.raises(ManifestInvalid, match="it has no CPU twin"):
        read(folder)


def test_a_manifest_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", files=FILES)
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes() + b" " * (1 << 20))
    with pytest.raises(ManifestInvalid, match="larger than 1 MB"):
        read(folder)


def test_what_the_policy_forbids_is_not_published_and_what_is_published_is_told(tmp_path: Path) -> None:
    folder = operator(tmp_path / "keys")
    with opened(folder, ask) as repository:
        add(repository, make_bundle(tmp_path / "b"))
        (tmp_path / "policy.json").write_text('{"min_versions": {"shapes": "2.0.0"}}')
        content = documents.read_policy(tmp_path / "policy.json")
        assert documents.refused(repository, content) == [
            "shapes@1.0.0: policy.min_versions: 2.0.0 is the lowest that is allowed"
        ]
        assert documents.refused(repository, None) == []
        repository.set_document(POLICY, content)
        with pytest.raises(BundleRefused, match=r"policy.min_versions"):
            add(repository, make_bundle(tmp_path / "c", "1.5.0"))
        add(repository, make_bundle(tmp_path / "d", "2.0.0"))


@pytest.mark.parametrize("text", ["", "[]", '{"names": 3}', '{"nams": []}', "{" * 40_000])
def test_a_file_that_is_no_policy_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(AgentError, match="read policy") as caught:
        documents.read_policy(tmp_path / "policy.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("title", ["shapes", "@1", "shapes@", ""])
def test_a_title_is_a_name_and_a_version(title: str) -> None:
    assert bundle.split("shapes@1.0.0") == ("shapes", "1.0.0")
    with pytest.raises(ConfigInvalid, match="no NAME@VERSION"):
        bundle.split(title)


def test_of_what_is_left_out_a_few_are_named_and_nothing_moves_the_cursor(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b")
    for name in ("a\x1b[31m\n", *"bcdef"):
        (folder / name).write_text("x")
    told = bundle.left_out_in_words(bundle.read(folder, allow_float=False, allow_unproven=False))
    assert told.endswith(": a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}, b, c, d and 2 more")
