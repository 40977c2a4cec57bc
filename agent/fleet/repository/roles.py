"""The roles of the update metadata (TUF): who vouches for what, for how long, and how large it may be."""

from __future__ import annotations

from typing import Literal

from agent.documents import keys, policy
from agent.fleet.repository.keystore import ROOTS
from agent.manifest import MANIFEST

Role = Literal["root", "targets", "models", "fleet", "snapshot", "timestamp"]
Rotation = Literal["root", "targets", "models", "fleet", "online"]

OFFLINE: tuple[Role, ...] = ("root", "targets", "models", "fleet")
SIGNED_TARGETS: tuple[Role, ...] = ("models", "fleet", "targets")
"""In the order in which they are written: what is delegated before who delegates it."""
DELEGATED: dict[str, list[str]] = {"models": [f"models/*/*/{MANIFEST}"], "fleet": ["fleet/*.json"]}
THRESHOLD = 2
"""How many of the root keys must sign a root."""
DAYS: dict[str, int] = {
    "root": 730,
    "targets": 365,
    "models": 365,
    "fleet": 365,
    "snapshot": 30,
    "timestamp": 14,
}
WARN_DAYS = 30
"""So long before an offline role expires it is told."""
RENEW_DAYS = 15
"""So long before it expires the snapshot is signed anew."""
MOST_BYTES: dict[str, int] = {
    "root": 64 << 10,
    "targets": 256 << 10,
    "models": 256 << 10,
    "fleet": 256 << 10,
    "snapshot": 64 << 10,
    "timestamp": 16 << 10,
}
"""What a device takes."""
CHUNK_MOST = 1 << 20
PACKET_MOST = CHUNK_MOST + (4 << 10)
"""What a device takes in one chunk, and in one packet."""
ISSUED = "x_issued"
"""The signed field that says when it was signed, seconds since 1970: no device's clock may be before it."""
KEYS, POLICY = keys.TARGET, policy.TARGET


def key_names(role: str) -> tuple[str, ...]:
    """Give the names of the keys that may sign a role."""
    if role == "root":
        return ROOTS
    return ("online",) if role in {"snapshot", "timestamp"} else (role,)


def file_name(role: str, version: int) -> str:
    """Give the name of a version's file below ``meta/``."""
    return "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"


def target_path(name: str, version: str) -> str:
    """Give the path of a bundle's target."""
    return f"models/{name}/{version}/{MANIFEST}"
