"""The roles of the update metadata (TUF): who vouches for what, and for how long."""

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
KEYS, POLICY = keys.TARGET, policy.TARGET


def key_names(role: str) -> tuple[str, ...]:
    """Give the names of the keys that may sign a role."""
    if role == "root":
        return ROOTS
    return ("online",) if role in {"snapshot", "timestamp"} else (role,)
