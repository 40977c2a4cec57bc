"""Loads a model into memory: the very bytes that were hashed, and what the manifest says of them."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import labels as label_files
from agent import manifest as manifests
from agent import resources
from agent.bundles.packed import packed_labels
from agent.errors import AgentError, ManifestInvalid, ModelInvalid
from agent.labels import Labels
from agent.manifest import MANIFEST, MAX_MODEL_BYTES, FileEntry, Manifest, Pre
from agent.tflite import metadata, outline
from agent.tflite.flatbuffers import Broken
from agent.tflite.metadata import Metadata


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, with all that is known of it.

    Attributes:
        data: the model file's bytes, as they were hashed; nothing reads the file again.
        sha256: their hash, 64 hex digits.
        name: the bundle's name, or the file's name without its ending.
        version: the bundle's version; "0" for a bare file.
        task: the decoder's name, or None where nothing says it.
        labels: class names; empty where there are none.
        pre: how pictures become the input tensor.
        post: the decoder's options.
        said: what the file says of itself; it counts where nothing else is said.
        path: the model file.
        bundle: the bundle's digest, 64 hex digits; "" for a bare file.
        folder: the bundle's folder; None for a bare file.
        manifest: the bundle's; None for a bare file.
    """

    data: bytes = field(repr=False)
    sha256: str
    name: str
    version: str
    task: str | None
    labels: Labels = field(repr=False)
    pre: Pre
    post: dict[str, Any]
    path: Path
    bundle: str = ""
    folder: Path | None = None
    manifest: Manifest | None = field(default=None, repr=False)
    said: Metadata = field(default=Metadata(), repr=False)


def load(path: str | Path, digest: str = "", variant: str = "") -> LoadedModel:
    """Load a bundle folder, a bare .tflite file, or a bundled model by its bare name.

    A bare file's labels are those in the zip archive that model makers append to it, if there is one. The
    normalisation that the file's TFLite Metadata says counts where the manifest says none.

    Args:
        path: what to load.
        digest: what the bundle's digest must be, where somebody has vouched for one; else "".
        variant: which of the bundle's variants; its model where it has none of that name.

    Raises:
        ModelInvalid: missing, unreadable, empty, too large, truncated, or not a TFLite model.
        ManifestInvalid: the bundle's manifest is wrong, or a file is not the one that it describes.
    """
    found = _resolve(path)
    if digest and not found.is_dir():
        raise ManifestInvalid("load model", str(found), "it is no bundle, and one was vouched for")
    return _load_bundle(found, digest, variant) if found.is_dir() else _load_file(found)


def variant(model: LoadedModel, name: str) -> bytes:
    """Give the bytes of a bundle's file for an accelerator, hashed as they are read.

    Args:
        model: the loaded model.
        name: of the variant; "" for the model that any CPU runs.

    Raises:
        ModelInvalid: it has no such variant, or the file cannot be read.
        ManifestInvalid: the file is not the one that the manifest describes.
    """
    if not name or (name == "edgetpu" and outline.is_for_edge_tpu(model.data)):
        return model.data
    if model.manifest is None or model.folder is None or name not in model.manifest.variants:
        hint = f"Pack it with a file for {name}"
        raise ModelInvalid("load model", model.name, f"it has no variant for {name}", hint)
    entry = model.manifest.file(model.manifest.variants[name])
    path = inside(model.folder, entry.path)
    data = _read(path, MAX_MODEL_BYTES)
    check(path, data, entry)
    _check_outline(path, data)
    return data


def read_labels(path: Path) -> Labels:
    """Read class names from a file of one's own.

    Raises:
        ModelInvalid: missing, no regular file, too large, or no text of names.
    """
    return label_files.parse(read_file(path, label_files.MAX_BYTES, ModelInvalid, "read labels"), str(path))


def _resolve(path: str | Path) -> Path:
    given = Path(path)
    try:
        if given.exists():
            return given
    except (OSError, ValueError) as error:  # a folder that is closed to us, a name that no file can have
        hint = "Check the path and its permissions"
        raise ModelInvalid("load model", str(path)[:200], str(error)[:200], hint) from error
    known = resources.bundled_models()
    if str(path) in known:
        return known[str(path)]
    bare = given.name == str(path) and not given.suffix
    problem = "there is no such file, nor such a bundled model" if bare else "there is no such file"
    raise ModelInvalid("load model", str(path), problem, f"Give a path, or one of: {', '.join(known)}")


def _load_file(path: Path) -> LoadedModel:
    data = _read(path, MAX_MODEL_BYTES)
    _check_outline(path, data)
    said = metadata.read(data)
    return LoadedModel(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        name=path.stem,
        version="0",
        task=None,
        labels=packed_labels(data, path, said.labels),
        pre=metadata.filled(Pre(), data, said),
        post={},
        path=path,
        said=said,
    )


def _load_bundle(folder: Path, digest: str, variant: str) -> LoadedModel:
    manifest, found = _proven_manifest(folder, digest)
    entry = manifest.file(manifest.variants.get(variant, manifest.model))
    path = inside(folder, entry.path)
    data = _read(path, MAX_MODEL_BYTES)
    check(path, data, entry)  # before anything looks into it
    _check_outline(path, data)
    said = metadata.read(data)
    return LoadedModel(
        data=data,
        sha256=entry.sha256,
        name=manifest.name,
        version=manifest.version,
        task=manifest.decoder,
        labels=_bundle_labels(folder, manifest),
        pre=metadata.filled(manifest.pre, data, said),
        post=manifest.post.options if manifest.post else {},
        path=path,
        bundle=found,
        folder=folder,
        manifest=manifest,
        said=said,
    )


def read_manifest(folder: Path, digest: str = "") -> Manifest:
    """Read the manifest in a bundle's folder.

    Args:
        folder: the bundle's.
        digest: what its SHA-256 must be; "" where nobody has vouched for one.

    Raises:
        ManifestInvalid: there is none, or it is wrong, or another one.
    """
    return _proven_manifest(folder, digest)[0]


def _proven_manifest(folder: Path, digest: str) -> tuple[Manifest, str]:
    path = folder / MANIFEST
    if not path.exists():
        raise ManifestInvalid(
            "load model",
            str(folder),
            f"the folder has no {MANIFEST}",
            "Give a bundle's folder or a .tflite file",
        )
    data = read_file(path, manifests.MAX_BYTES, ManifestInvalid)
    found = manifests.digest(data)
    if digest and found != digest:  # before anything looks into it
        raise _mismatch(path, f"its sha256 is {found[:12]}..., and {digest[:12]}... was vouched for")
    return manifests.parse(data, str(path)), found


def _bundle_labels(folder: Path, manifest: Manifest) -> Labels:
    if manifest.labels is None:
        return Labels()
    entry = manifest.file(manifest.labels)
    path = inside(folder, entry.path)
    data = read_file(path, label_files.MAX_BYTES, ManifestInvalid)
    check(path, data, entry)
    return label_files.parse(data, str(path))


def inside(folder: Path, relative: str) -> Path:
    """Give the file's path, which may not lead out of the bundle through a symbolic link."""
    path = folder / relative
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise ManifestInvalid(
            "load model", str(path), "it leads out of the bundle", "Replace the link by a file"
        )
    return path


def check(path: Path, data: bytes, entry: FileEntry) -> None:
    """See that ``data``, read from ``path``, is what the manifest says.

    Raises:
        ManifestInvalid: it is not.
    """
    if len(data) != entry.size:
        raise _mismatch(path, f"it has {len(data)} bytes, the manifest says {entry.size}")
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise _mismatch(path, f"its sha256 is {found[:12]}..., the manifest says {entry.sha256[:12]}...")


def _mismatch(path: Path, problem: str) -> ManifestInvalid:
    return ManifestInvalid("load model", str(path), problem, "Copy the bundle again")


def _read(path: Path, most: int) -> bytes:
    data = read_file(path, most, ModelInvalid)
    if not data:
        raise ModelInvalid("load model", str(path), "the file is empty", "Copy it again")
    return data


def _check_outline(path: Path, data: bytes) -> None:
    try:
        outline.check_outline(data)
    except Broken as error:
        hint = "Copy it again, and compare its sha256 with the original's"
        raise ModelInvalid("load model", str(path), str(error), hint) from error


def read_file(path: Path, most: int, invalid: type[AgentError], op: str = "load model") -> bytes:
    """Read a regular file of at most ``most`` bytes."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for its writer
            raise invalid(op, str(path), "it is not a regular file", "Give a file")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: no file can have that name
        problem = getattr(error, "strerror", None) or str(error)
        raise invalid(op, str(path), problem, "Check the path and its permissions") from error
    if len(data) > most:
        raise invalid(op, str(path), f"it is larger than {most >> 20} MB", "Give a smaller file")
    return data
