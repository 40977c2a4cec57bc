"""Loading a model: bundle folders, bare files, and all the ways in which they are wrong."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bundles import load as loading
from agent.bundles.load import load, variant
from agent.errors import AgentError, ManifestInvalid, ModelInvalid
from agent.manifest import Pre, digest, entry
from agent.tflite.flatbuffers import Broken
from agent.tflite.outline import check_outline
from tests.simulators import tiny_models
from tests.simulators.described_models import described, whole

if TYPE_CHECKING:
    from pathlib import Path

MODEL = tiny_models.gather()
LABELS = b"cat\ndog\n"


def write_bundle(folder: Path, **changes: Any) -> Path:
    """Write a good bundle, but for ``changes`` to its manifest."""
    folder.mkdir()
    (folder / "model.tflite").write_bytes(MODEL)
    (folder / "labels.txt").write_bytes(LABELS)
    manifest = {
        "schema": 2,
        "name": "pets",
        "version": "3",
        "task": "classification",
        "license": "MIT",
        "files": [
            entry("model.tflite", MODEL).model_dump(mode="json"),
            entry("labels.txt", LABELS).model_dump(mode="json"),
        ],
        "model": "model.tflite",
        "labels": "labels.txt",
        "pre": {"color": "bgr"},
        "post": {"kind": "classification", "top_k": 2},
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def refusal(path: Path) -> AgentError:
    with pytest.raises(AgentError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_a_bundle_is_loaded_with_what_its_manifest_says(tmp_path: Path) -> None:
    model = load(write_bundle(tmp_path / "pets"))
    assert model.data == MODEL
    assert model.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert (model.name, model.version, model.task) == ("pets", "3", "classification")
    assert model.labels.names == ("cat", "dog")
    assert model.pre == Pre(color="bgr")
    assert model.post == {"top_k": 2}
    assert model.path == tmp_path / "pets/model.tflite"
    assert model.bundle == digest((tmp_path / "pets/manifest.json").read_bytes())


def test_a_bundle_that_somebody_vouched_for_must_be_that_one(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "pets")
    vouched = digest((folder / "manifest.json").read_bytes())
    assert load(folder, vouched).bundle == vouched
    (folder / "manifest.json").write_bytes(b"no JSON: nothing may parse it")
    with pytest.raises(ManifestInvalid, match="was vouched for"):
        load(folder, vouched)
    with pytest.raises(ManifestInvalid, match="it is no bundle"):
        load(folder / "model.tflite", vouched)


def test_a_bare_file_is_loaded_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "cats.v2.tflite"
    path.write_bytes(MODEL)
    model = load(str(path))
    assert (model.name, model.version, model.task) == ("cats.v2", "0", None)
    assert (model.labels.names, model.pre, model.post) == ((), Pre(), {})
    assert model.sha256 == hashlib.sha256(model.data).hexdigest()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_labels_packed_in_a_bare_file_are_found(tmp_path: Path, compression: int) -> None:
    files = {"about.txt": b"hello", "labelmap.txt": LABELS, "vocabulary.bin": b"\0"}
    data = tiny_models.packed(MODEL, files, compression)
    (tmp_path / "m.tflite").write_bytes(data)
    model = load(tmp_path / "m.tflite")
    assert model.labels.names == ("cat", "dog")
    assert model.data == data


def test_of_several_packed_texts_the_one_that_the_model_names_holds_the_labels(tmp_path: Path) -> None:
    files = {"labels.txt": b"other\n", "names.txt": LABELS}
    data = tiny_models.packed(described(whole()), files)
    (tmp_path / "m.tflite").write_bytes(data)
    assert load(tmp_path / "m.tflite").labels.names == ("cat", "dog")


def test_a_packed_archive_without_text_gives_no_labels(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_models.packed(MODEL, {"x.bin": b"x"}))
    assert load(tmp_path / "m.tflite").labels.names == ()


def test_packed_labels_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    bomb = tiny_models.packed(MODEL, {"labels.txt": b"\n" * (64 << 20)})
    assert len(bomb) < 1 << 20
    (tmp_path / "m.tflite").write_bytes(bomb)
    assert "too many" in refusal(tmp_path / "m.tflite").problem


def test_packed_labels_that_are_damaged_are_refused(tmp_path: Path) -> None:
    data = bytearray(tiny_models.packed(MODEL, {"labels.txt": LABELS}, zipfile.ZIP_STORED))
    data[data.index(LABELS)] ^= 1
    (tmp_path / "m.tflite").write_bytes(data)
    assert "labels packed in it" in refusal(tmp_path / "m.tflite").problem


@given(position=st.integers(min_value=0), flip=st.integers(1, 255))
def test_any_damage_to_a_packed_archive_is_harmless_or_told_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    data = bytearray(tiny_models.packed(MODEL, {"labels.txt": LABELS * 9}))
    data[len(MODEL) + position % (len(data) - len(MODEL))] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(data)
    try:
        found: bytes | str = load(path).data
    except ModelInvalid as error:
        found = str(error)
    assert found == data if isinstance(found, bytes) else "\n" not in found


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a TFLite model"),
        (b"PK\3\4" * 100, "not a TFLite model"),
        (MODEL[:8], "truncated or damaged"),
        (MODEL[:-1], "truncated or damaged"),
        (b"\xff\xff\xff\xff" + MODEL[4:], "truncated or damaged"),
    ],
)
def test_a_file_that_is_no_whole_model_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    (tmp_path / "m.tflite").write_bytes(data)
    error = refusal(tmp_path / "m.tflite")
    assert isinstance(error, ModelInvalid)
    assert problem in error.problem
    assert error.subject == str(tmp_path / "m.tflite")


def test_a_file_that_is_too_big_is_refused_without_reading_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MAX_MODEL_BYTES", len(MODEL) - 1)
    (tmp_path / "m.tflite").write_bytes(MODEL)
    assert "larger than" in refusal(tmp_path / "m.tflite").problem


def test_a_path_that_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe").problem
    assert "no such file" in refusal(tmp_path / "nothing.tflite").problem
    assert "no manifest.json" in refusal(tmp_path).problem


def test_a_name_that_is_no_bundled_model_is_told_which_there_are() -> None:
    with pytest.raises(ModelInvalid, match=r"nor such a bundled model\. .*one of: .*glyphs"):
        load("glyps")


def test_a_bundled_model_is_found_by_its_bare_name() -> None:
    model = load("glyphs")
    assert model.name == "glyphs"
    assert model.task == "classification"
    assert len(model.labels.names) > 1


@pytest.mark.parametrize("name", ["model.tflite", "labels.txt"])
def test_a_bundle_with_a_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    path = write_bundle(tmp_path / "pets") / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    error = refusal(tmp_path / "pets")
    assert isinstance(error, ManifestInvalid)
    assert error.subject == str(path)
    assert "sha256" in error.problem


def test_a_bundle_whose_model_has_another_size_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "pets")
    (bundle / "model.tflite").write_bytes(MODEL + b"?")
    assert f"it has {len(MODEL) + 1} bytes" in refusal(bundle).problem


@pytest.mark.parametrize("name", ["model.tflite", "labels.txt"])
def test_a_bundle_that_lacks_a_file_is_refused(tmp_path: Path, name: str) -> None:
    bundle = write_bundle(tmp_path / "pets")
    (bundle / name).unlink()
    assert refusal(bundle).subject == str(bundle / name)


def test_a_link_that_leads_out_of_the_bundle_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "pets")
    (bundle / "labels.txt").rename(tmp_path / "labels.txt")
    (bundle / "labels.txt").symlink_to(tmp_path / "labels.txt")
    assert "out of the bundle" in refusal(bundle).problem


@pytest.mark.parametrize("name", ["model.tflite", "labels.txt", "manifest.json"])
def test_a_link_that_leads_in_a_circle_is_refused_like_a_file_that_is_not_there(
    tmp_path: Path, name: str
) -> None:
    bundle = write_bundle(tmp_path / "pets")
    (bundle / name).unlink()
    (bundle / name).symlink_to(name)
    assert "\n" not in str(refusal(bundle))


def test_a_bundle_whose_manifest_is_wrong_is_refused(tmp_path: Path) -> None:
    error = refusal(write_bundle(tmp_path / "pets", version="?"))
    assert isinstance(error, ManifestInvalid)
    assert error.subject == str(tmp_path / "pets/manifest.json")


def test_a_file_that_was_compiled_for_the_edge_tpu_is_its_own_variant(tmp_path: Path) -> None:
    path = tmp_path / "m_edgetpu.tflite"
    path.write_bytes(tiny_models.custom("edgetpu-custom-op"))
    model = load(path)
    assert variant(model, "edgetpu") == model.data
    with pytest.raises(ModelInvalid, match="no variant for ethosu"):
        variant(model, "ethosu")
    path.write_bytes(tiny_models.custom("another"))
    with pytest.raises(ModelInvalid, match="no variant for edgetpu"):
        variant(load(path), "edgetpu")


def test_a_bundle_needs_no_labels(tmp_path: Path) -> None:
    assert load(write_bundle(tmp_path / "pets", labels=None)).labels.names == ()


def test_every_truncation_of_a_model_is_seen() -> None:
    check_outline(MODEL)
    for length in range(len(MODEL)):
        with pytest.raises(Broken):
            check_outline(MODEL[:length])


@given(st.binary(max_size=100), st.integers(0, len(MODEL) - 1), st.binary(max_size=8))
def test_the_outline_of_any_bytes_is_checked_without_a_crash(tail: bytes, at: int, patch: bytes) -> None:
    for data in (b"\x08\0\0\0TFL3" + tail, MODEL[:at] + patch + MODEL[at + len(patch) :]):
        try:
            check_outline(data)
        except Broken as broken:
            words = str(broken)
        else:
            words = "it is whole"
        assert words.startswith("it is")


def test_loading_needs_no_numpy() -> None:
    program = "import sys, agent.bundles.load; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
