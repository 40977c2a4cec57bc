"""Bundles of the glyphs, a real model, for an operator to publish."""

from __future__ import annotations

import json
from typing import Any

from agent import resources


def glyphs(model: bytes = b"") -> tuple[dict[str, bytes], dict[str, Any]]:
    """Give a bundle's files, the model first, and what its manifest says beside the usual.

    Args:
        model: in the place of the real one.
    """
    folder = resources.bundled_models()["glyphs"]
    manifest = json.loads((folder / "manifest.json").read_text())
    names = [one["path"] for one in manifest.pop("files")]
    names.sort(key=lambda name: bool(name != manifest["model"]))
    files = {name: (folder / name).read_bytes() for name in names}
    for key in ("schema", "name", "version", "model"):
        del manifest[key]
    return (files | {names[0]: model} if model else files), manifest
