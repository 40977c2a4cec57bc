"""What an operator publishes of models: the names of the files, and how large a device lets them be.

The same paths lie on a broker, on a mirror and in the operator's folder; docs/updates.md has the rules.
"""

from __future__ import annotations

from agent.manifest import MANIFEST

META, BLOB, HINT = "meta", "blob", "hint"
MOST_TARGETS = 256 << 10
MOST_BYTES: dict[str, int] = {
    "root": 64 << 10,
    "timestamp": 16 << 10,
    "snapshot": 64 << 10,
    "targets": MOST_TARGETS,
    "models": MOST_TARGETS,
    "fleet": MOST_TARGETS,
}
"""Of a file of metadata, by its role."""
MOST_CHUNK = 1 << 20
MOST_PACKET = MOST_CHUNK + (4 << 10)
"""A chunk, and what MQTT puts around it."""
ISSUED = "x_issued"
"""The signed field that says when metadata was signed, seconds since 1970: no clock may be before it."""


def file_name(role: str, version: int) -> str:
    """Give the name of a version's file below ``META``."""
    return "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"


def target_path(name: str, version: str) -> str:
    """Give the path of a bundle's target."""
    return f"models/{name}/{version}/{MANIFEST}"
