"""What can be said of ``[models]`` before the operator is asked."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.config import addresses
from agent.errors import ConfigInvalid
from agent.trust import keys as trust

if TYPE_CHECKING:
    from agent.plan import Plan

_HINT = "Give the fleet's first root metadata: tuf/meta/1.root.json of the operator's folder"


def examine(plan: Plan) -> str:
    """Say in a line whose models are taken.

    Raises:
        ConfigInvalid: the root metadata cannot be read or is none.
    """
    text = trust.read_root(plan.settings.models, plan.folder)
    if text is None:
        return "no operator's models are taken"
    version, expires = root(text, str(trust.root_file(plan.settings.models, plan.folder)))
    mirror = plan.settings.models.mirror
    said = f"root {version}, until {expires:%Y-%m-%d}"
    if expires.timestamp() < time.time():
        said += " (WARNING: it has expired; without a newer one nothing new is taken)"
    if mirror and addresses.scheme(mirror) == "http":
        said += "; WARNING: whoever is on the way to the mirror sees which models are fetched: use https"
    if plan.mqtt is None and not mirror:
        said += "; WARNING: without [mqtt] or models.mirror nothing new can come"
    return said


def root(text: str, path: str) -> tuple[int, datetime]:
    """Give version and expiry of root metadata; whether it is trusted, only its signatures tell later."""
    try:
        signed = json.loads(text)["signed"]
        if signed["_type"] != "root":
            raise ConfigInvalid(
                "read models.root", path, f"it is no root metadata, but {signed['_type']}", _HINT
            )
        expires = datetime.strptime(signed["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return int(signed["version"]), expires
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigInvalid("read models.root", path, "it is no root metadata", _HINT) from error
