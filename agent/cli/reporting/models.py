"""Which models a device has, with their hashes: the operator's by slot, and those of the configuration."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundles.load import load
from agent.cli.device.active import models

if TYPE_CHECKING:
    from agent.plan import Plan


def models_in_use(plan: Plan) -> list[dict[str, Any]]:
    """Give pipeline, slot, name, version and hash of each model, and whether the operator has signed it.

    A bundle's hash is its digest; that of a configured model is its file's SHA-256.

    Raises:
        AgentError: the agent does not answer, or a file cannot be read.
    """
    found: list[dict[str, Any]] = []
    known = models(plan)["pipelines"] if plan.managed else {}
    for lane in plan.lanes:
        slots = known.get(lane.pipeline, {}).get("slots", {})
        for slot, row in slots.items():
            about = {
                "pipeline": lane.pipeline,
                "slot": slot,
                "name": str(row["name"]),
                "version": str(row["version"]),
            }
            found.append(about | {"sha256": str(row["bundle"]), "signed": True})
        if lane.model and "active" not in slots:
            found.append(
                {"pipeline": lane.pipeline, "slot": "configured", **_configured(lane.folder, lane.model)}
            )
    return found


def _configured(folder: str, model: str) -> dict[str, Any]:
    path = Path(folder, model)
    loaded = load(path if path.exists() else model)
    digest = hashlib.sha256(loaded.data).hexdigest()
    return {"name": loaded.name, "version": loaded.version, "sha256": digest, "signed": False}
