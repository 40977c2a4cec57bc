"""What the operator's folder has published, as its newest timestamp says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent import manifest
from agent.bundles.load import read_file
from agent.documents import keys, policy
from agent.errors import ConfigInvalid, MetadataRefused

if TYPE_CHECKING:
    from pathlib import Path

    from agent.documents.keys import ControlKeys
    from agent.documents.policy import Policy
    from agent.manifest import Manifest

_MOST_META = 256 << 10
_TARGET = "models/{name}/{version}/manifest.json"
_OP = "look up"


@dataclass(frozen=True, slots=True)
class Released:
    """The published targets.

    Attributes:
        folder: of the files, by their SHA-256.
        models: SHA-256 of each manifest, by its target's path.
        fleet: SHA-256 of each of the fleet's documents, by its target's path.
    """

    folder: Path
    models: dict[str, str]
    fleet: dict[str, str]

    def manifest(self, name: str, version: str) -> Manifest:
        """Read a published bundle's manifest.

        Raises:
            ConfigInvalid: no such bundle is published; those that are, are named.
            ManifestInvalid: it is damaged.
        """
        target = _TARGET.format(name=name, version=version)
        if target not in self.models:
            raise ConfigInvalid(_OP, f"{name}@{version}", "it is not published", self._known(name))
        return manifest.parse(self._blob(self.models[target], manifest.MAX_BYTES), target)

    @property
    def policy(self) -> Policy | None:
        """The fleet's policy, if there is one."""
        found = self.fleet.get(policy.TARGET)
        return policy.decode(self._blob(found, policy.MAX_BYTES)) if found else None

    @property
    def control(self) -> ControlKeys | None:
        """Whose desired state devices take."""
        found = self.fleet.get(keys.TARGET)
        return keys.decode(self._blob(found, keys.MAX_BYTES)) if found else None

    def _blob(self, sha256: str, most: int) -> bytes:
        return read_file(self.folder / sha256, most, MetadataRefused, _OP)

    def _known(self, name: str) -> str:
        """Say which are published: of this name, or, where there is none, all."""
        every = sorted(path.removeprefix("models/").removesuffix("/manifest.json") for path in self.models)
        same = [one for one in every if one.startswith(f"{name}/")] or every
        if not same:
            return "Nothing is: edgectl publish BUNDLE"
        return f"Published are: {', '.join(one.replace('/', '@') for one in same[-20:])}"


def read(folder: Path) -> Released:
    """Read what is published.

    Args:
        folder: the operator's.

    Raises:
        ConfigInvalid: there is no repository in the folder.
        MetadataRefused: its metadata is damaged.
    """
    meta = folder / "tuf" / "meta"
    if not (meta / "timestamp.json").is_file():
        hint = "Make one with: edgectl init DIR; then edgectl publish"
        raise ConfigInvalid(_OP, str(folder), "there is no repository in it", hint)
    timestamp = _signed(meta / "timestamp.json")
    snapshot = _signed(meta / f"{_version(timestamp, 'snapshot.json')}.snapshot.json")
    targets = [_targets(meta, snapshot, role) for role in ("models", "fleet")]
    return Released(folder / "tuf" / "blob", *targets)


def _targets(meta: Path, snapshot: dict[str, Any], role: str) -> dict[str, str]:
    signed = _signed(meta / f"{_version(snapshot, f'{role}.json')}.{role}.json")
    try:
        return {path: str(one["hashes"]["sha256"]) for path, one in signed["targets"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(meta / role, error) from error


def _version(signed: dict[str, Any], name: str) -> int:
    try:
        return int(signed["meta"][name]["version"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(name, error) from error


def _signed(path: Path) -> dict[str, Any]:
    try:
        signed = json.loads(read_file(path, _MOST_META, MetadataRefused, _OP))["signed"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    return dict(signed)


def _damaged(path: object, error: Exception) -> MetadataRefused:
    hint = "Run edgectl verify, or copy the folder from a backup"
    return MetadataRefused(_OP, str(path), f"it is damaged: {type(error).__name__}", hint)
