"""Files that a decoder needs beside the model: of a bundle, or of the pipeline's own."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.backends import tflite
from agent.bundles import extras
from agent.bundles.load import load
from agent.errors import ManifestInvalid, ModelInvalid
from agent.manifest import entry
from agent.types import FrameInfo
from agent.workers.program import decoding
from tests import runtimes
from tests.simulators import tiny_models

if TYPE_CHECKING:
    from pathlib import Path

MODEL = tiny_models.echo("float32", (1, 2))
FRAME = FrameInfo(seq=0, captured_ns=0, height=1, width=2)


def gallery(*vectors: tuple[float, float]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(vectors, np.float32))
    return file.getvalue()


RIGHT, LEFT = gallery((1, 0), (0, 1)), gallery((0, 1), (1, 0))


def write_bundle(folder: Path, files: dict[str, bytes], named: str = "gallery/known.npy") -> Path:
    """Write a bundle of an embedder with these files beside it; its gallery is the one that is ``named``."""
    everything = {"model.tflite": MODEL, **files}
    for path, content in everything.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    manifest = {
        "schema": 2,
        "name": "faces",
        "version": "1",
        "task": "embedding",
        "license": "MIT",
        "files": [entry(path, content).model_dump(mode="json") for path, content in everything.items()],
        "model": "model.tflite",
        "post": {"kind": "embedding", "gallery": named},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def nearest(path: Path, **own: Any) -> int:
    """Decode the vector (1, 0); give the index of the nearest entry."""
    model = load(path)
    backend = tflite.build(runtimes.options(tflite.Options), model.data, model.name)
    decoder = decoding.decoder_of("embedding", model, backend, own)
    [item] = decoder.decode([np.array([[1, 0]], np.float32)], FRAME).items
    index: int = item["index"]
    return index


def test_a_decoder_gets_the_file_of_the_bundle_that_its_options_name(tmp_path: Path) -> None:
    assert nearest(write_bundle(tmp_path / "a", {"gallery/known.npy": RIGHT})) == 0
    assert nearest(write_bundle(tmp_path / "b", {"gallery/known.npy": LEFT})) == 1


def test_the_pipelines_own_file_goes_over_that_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(LEFT)
    folder = write_bundle(tmp_path / "a", {"gallery/known.npy": RIGHT})
    assert nearest(folder, gallery=str(tmp_path / "mine.npy")) == 1
    assert nearest(folder / "model.tflite", gallery=str(tmp_path / "mine.npy")) == 1


def test_a_file_that_is_not_the_one_that_was_hashed_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "a", {"gallery/known.npy": RIGHT})
    (folder / "gallery/known.npy").write_bytes(LEFT)
    with pytest.raises(ManifestInvalid, match="its sha256 is"):
        nearest(folder)
    (folder / "gallery/known.npy").unlink()
    with pytest.raises(ManifestInvalid, match=r"read gallery .*known\.npy"):
        nearest(folder)


@pytest.mark.parametrize("named", ["other.npy", "/etc/passwd", "../known.npy"])
def test_a_manifest_names_no_file_but_those_that_it_lists(tmp_path: Path, named: str) -> None:
    (tmp_path / "known.npy").write_bytes(RIGHT)
    folder = write_bundle(tmp_path / "a", {"gallery/known.npy": RIGHT}, named)
    with pytest.raises(ManifestInvalid, match="which is no file of its bundle") as caught:
        nearest(folder)
    assert caught.value.hint


def test_a_link_out_of_the_bundle_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "a", {"gallery/known.npy": RIGHT})
    (tmp_path / "same.npy").write_bytes(RIGHT)
    (folder / "gallery/known.npy").unlink()
    (folder / "gallery/known.npy").symlink_to(tmp_path / "same.npy")
    with pytest.raises(ManifestInvalid, match="leads out of the bundle"):
        nearest(folder)


def test_what_is_missing_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_bundle(tmp_path / "a", {"gallery/known.npy": RIGHT})
    with pytest.raises(ModelInvalid, match=r"read gallery .*no\.npy"):
        nearest(folder, gallery=str(tmp_path / "no.npy"))
    with pytest.raises(ModelInvalid, match="not a regular file"):
        nearest(folder, gallery=str(tmp_path))
    monkeypatch.setattr(extras, "MAX_BYTES", 100)
    with pytest.raises(ManifestInvalid, match="larger than"):
        nearest(folder)
