"""Writes a bundle's folder: model, labels, golden data, and the manifest that names them by hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.types import Array


def put(folder: Path, path: str, content: bytes) -> dict[str, Any]:
    """Write a file of the bundle; give what the manifest says of it."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return {"path": path, "sha256": hashlib.sha256(content).hexdigest()}


def put_golden(
    folder: Path, number: int, frame: Array, expect: Sequence[Mapping[str, Any]], tol: float
) -> dict[str, Any]:
    """Write a golden input.

    Args:
        folder: the bundle's.
        number: names the file.
        frame: what a source gives: a picture, but in RGB order as ``.npy`` files hold them, uint8 (height,
            width, 3); or a window of samples, float32 (samples, channels).
        expect: the items that the decoder must make of it, with the keys that matter.
        tol: how far their numbers may be off.
    """
    path = f"golden/{number}.npy"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    np.save(folder / path, frame)
    digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
    return {"input": path, "sha256": digest, "expect": [dict(item) for item in expect], "tol": tol}


def put_labels(folder: Path, labels: Sequence[str]) -> dict[str, Any]:
    """Write ``labels.txt``, one label a line."""
    return put(folder, "labels.txt", "".join(f"{label}\n" for label in labels).encode())


def put_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``manifest.json``."""
    put(folder, "manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())
