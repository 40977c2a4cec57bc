"""Bundles of the moody backend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent.manifest import digest, entry
from tests.simulators import moody_backend, tiny_models

if TYPE_CHECKING:
    from pathlib import Path


def bundle(
    folder: Path, name: str, manifest: dict[str, Any] | None = None, **behaviour: Any
) -> tuple[str, str]:
    """Write a bundle below ``folder``; give its path and its digest.

    Args:
        folder: of all bundles.
        name: the model's.
        manifest: what is to stand in its manifest besides the usual.
        behaviour: see ``moody_backend``.
    """
    content = tiny_models.absolute() + moody_backend.MARK + json.dumps(behaviour).encode()
    whole = {
        "schema": 2, "name": name, "version": "1", "task": "tensor", "license": "MIT", "model": "m.tflite",
        "files": [entry("m.tflite", content).model_dump(mode="json")], **(manifest or {}),
    }  # fmt: skip
    data = json.dumps(whole).encode()
    path = folder / digest(data)
    path.mkdir(parents=True)
    (path / "m.tflite").write_bytes(content)
    (path / "manifest.json").write_bytes(data)
    return str(path), digest(data)
