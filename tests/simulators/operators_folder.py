"""An operator's folder whose metadata nobody has signed: for what only looks up what is published."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import orjson

from agent.documents import keys as key_documents
from agent.documents import policy as policies
from agent.documents.keys import ControlKey, ControlKeys
from agent.fleet.keys import make_keys
from agent.fleet.repository.keystore import Keystore, signer
from agent.manifest import entry

if TYPE_CHECKING:
    from pathlib import Path

    from agent.documents.policy import Policy
    from agent.signing import Signer

PASSPHRASE = "four words of old"  # noqa: S105 - opens keys that are made for a test


def make(folder: Path, *devices: str, models: tuple[str, ...] = ()) -> Signer:
    """Make keys and published models, each ``name@version``; give the control key."""
    make_keys(folder, devices)
    Keystore(folder, lambda: PASSPHRASE).make(["control"])
    control = signer(folder, "control", PASSPHRASE)
    publish(folder, *models, control=control)
    return control


def publish(folder: Path, *models: str, control: Signer, policy: Policy | None = None) -> None:
    """Write metadata that names these models, this control key and this policy, and nothing else."""
    (folder / "tuf" / "meta").mkdir(parents=True, exist_ok=True)
    (folder / "tuf" / "blob").mkdir(exist_ok=True)
    named = {}
    for model in models:
        name, _, version = model.partition("@")
        named[f"models/{name}/{version}/manifest.json"] = _target(folder, manifest(name, version))
    pem = control.public_pem().decode()
    keys = ControlKeys(keys=(ControlKey(pem=pem, scopes=("desired", "command")),))
    fleet = {key_documents.TARGET: _target(folder, keys.model_dump_json().encode())}
    if policy is not None:
        fleet[policies.TARGET] = _target(folder, policy.model_dump_json().encode())
    _write(folder, "1.models.json", {"targets": named})
    _write(folder, "1.fleet.json", {"targets": fleet})
    _write(
        folder, "1.snapshot.json", {"meta": {f"{one}.json": {"version": 1} for one in ("models", "fleet")}}
    )
    _write(folder, "timestamp.json", {"meta": {"snapshot.json": {"version": 1}}})


def manifest(name: str, version: str) -> bytes:
    """Make a manifest whose model is not there."""
    body: dict[str, Any] = {"schema": 2, "name": name, "version": version, "task": "tensor"}
    body |= {"license": "Apache-2.0", "model": "m.tflite", "files": [entry("m.tflite", b"m").model_dump()]}
    return orjson.dumps(body)


def _target(folder: Path, content: bytes) -> dict[str, Any]:
    found = hashlib.sha256(content).hexdigest()
    (folder / "tuf" / "blob" / found).write_bytes(content)
    return {"length": len(content), "hashes": {"sha256": found}}


def _write(folder: Path, name: str, signed: dict[str, Any]) -> None:
    (folder / "tuf" / "meta" / name).write_text(json.dumps({"signed": signed, "signatures": []}))
