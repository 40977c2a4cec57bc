"""Writes a bundle's folder: model, labels, golden data, and the manifest that names them by hash.

``python -m models.bundle FOLDER ...`` writes the manifests of bundles again, when the format has grown; their
models stay as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.backends.tflite import Options, build
from agent.manifest import entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.types import Array, TensorSpec


def put(folder: Path, path: str, content: bytes) -> str:
    """Write a file of the bundle; give its path, by which the manifest names it."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return path


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
    return {"input": path, "expect": [dict(item) for item in expect], "tol": tol}


def put_labels(folder: Path, labels: Sequence[str]) -> str:
    """Write ``labels.txt``, one label a line."""
    return put(folder, "labels.txt", "".join(f"{label}\n" for label in labels).encode())


def contract(content: bytes) -> dict[str, Any]:
    """Give the tensors of a model, as its manifest states them."""
    backend = build(Options(), content)
    sides = {"inputs": backend.inputs, "outputs": backend.outputs}
    return {side: [_tensor(one) for one in specs] for side, specs in sides.items()}


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    told: dict[str, Any] = {"name": spec.name, "dtype": spec.dtype, "shape": spec.shape}
    if spec.scale:
        told |= {"scale": spec.scale, "zero_point": spec.zero_point}
    if len(spec.scale) > 1:
        told["axis"] = spec.axis
    return told


def put_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``manifest.json``, with the model's tensors, and an entry for every file that it names."""
    paths = [manifest["model"], *(one["input"] for one in manifest.get("golden", ()))]
    paths += [manifest["labels"]] if manifest.get("labels") else []
    files = [entry(path, (folder / path).read_bytes()).model_dump(mode="json") for path in sorted(paths)]
    io = contract((folder / manifest["model"]).read_bytes())
    whole = {**manifest, "io": io, "files": files}
    put(folder, "manifest.json", (json.dumps(whole, indent=2) + "\n").encode())


def main() -> None:
    """Write the manifests of the folders that are given again."""
    for name in sys.argv[1:]:
        put_manifest(Path(name), json.loads((Path(name) / "manifest.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
