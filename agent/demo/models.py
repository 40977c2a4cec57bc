"""The models that the demo publishes: the bundled one, and further versions of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.manifest import MANIFEST, digest, entry
from agent.resources import bundled_models

if TYPE_CHECKING:
    from pathlib import Path

    from agent.manifest import FileEntry

NAME = "shapes"
_BUDGET_MS = 33.0
"""What a camera of 30 frames a second leaves: so a busy machine is no reason to take a model back."""


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that may be published.

    Attributes:
        folder: where it lies.
        title: ``name@version``.
        digest: the bundle's.
        model: the entry of its model's file.
    """

    folder: Path
    title: str
    digest: str
    model: FileEntry


def first() -> Path:
    """Give the folder of the bundle that the demo begins with, an early and weaker version."""
    return bundled_models()[NAME] / "first"


def version() -> str:
    """Give the version of the better model."""
    return str(_read(bundled_models()[NAME])["version"])


def make(folder: Path, *, further: int = 0) -> Made:
    """Make a bundle of the better model.

    Args:
        folder: where it is to lie; must not be there.
        further: 0 for the model as it is bundled; a higher number makes a later version with as many more
            bytes behind the model, where no reader of the format looks.
    """
    source = bundled_models()[NAME]
    told = _read(source)
    if further:
        major, minor, patch = told["version"].split(".")
        told["version"] = f"{major}.{minor}.{int(patch) + further}"
    told["budget"] = {"p95_ms": _BUDGET_MS}
    files = []
    for path in (one["path"] for one in told["files"]):
        content = (source / path).read_bytes() + (bytes(further) if path == told["model"] else b"")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        files.append(entry(path, content))
    told["files"] = [one.model_dump() for one in files]
    content = json.dumps(told).encode()
    (folder / MANIFEST).write_bytes(content)
    model = next(one for one in files if one.path == told["model"])
    return Made(folder, f"{told['name']}@{told['version']}", digest(content), model)


def _read(bundle: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((bundle / MANIFEST).read_bytes())
    return told
