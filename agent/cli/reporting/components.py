"""The distributions that are installed beside the agent, as a list and as CycloneDX."""

from __future__ import annotations

import hashlib
import platform
import re
import uuid
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from agent import __version__
from agent.errors import AgentError
from agent.licences import licence

NAME = "edge-inference-agent"


def components() -> list[dict[str, Any]]:
    """Give name, version, licence, package URL and the SHA-256 of RECORD of each distribution, by name.

    RECORD lists every file of a distribution with its hash (Python's packaging specifications, "Recording
    installed projects"); None where the package manager of the system left it out.

    Raises:
        AgentError: what one says of itself is damaged.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in metadata.distributions():
        try:
            about = one.metadata  # read once: it is parsed anew each time
            name = re.sub(r"[-_.]+", "-", about["Name"] or "").lower()
            if name and name not in found:  # the first on the path is the one that is imported
                found[name] = _told(name, about, one.read_text("RECORD"))
        except UnicodeDecodeError as error:
            place = str(one.locate_file(""))
            raise AgentError(
                "list packages in", place, f"no UTF-8 text: {error}", "Install it anew"
            ) from error
    return [found[name] for name in sorted(found)]


def _told(name: str, about: metadata.PackageMetadata, record: str | None) -> dict[str, Any]:
    version = about["Version"] or ""
    return {
        "name": name,
        "version": version,
        "license": licence(about),
        "purl": f"pkg:pypi/{name}@{version}" if version else f"pkg:pypi/{name}",
        "record_sha256": hashlib.sha256(record.encode()).hexdigest() if record else None,
    }


def cyclonedx(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the list as a bill of materials, CycloneDX 1.6 (ECMA-424), JSON."""
    whole = {"type": "application", "name": NAME, "version": __version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": whole | {"bom-ref": f"pkg:pypi/{NAME}@{__version__}"},
        },
        "components": [
            {"type": "platform", "name": "python", "version": platform.python_version(), "bom-ref": "python"},
            *(_component(one) for one in listed if one["name"] != NAME),
        ],
    }


def _component(one: dict[str, Any]) -> dict[str, Any]:
    made = {
        "type": "library",
        "name": one["name"],
        "version": one["version"],
        "purl": one["purl"],
        "bom-ref": one["purl"],
    }
    if one["license"]:
        made["licenses"] = [{"license": {"name": one["license"]}}]
    if one["record_sha256"]:
        made["properties"] = [{"name": "edge-agent:record-sha256", "value": one["record_sha256"]}]
    return made
