"""A fleet's update repository in memory: what its publisher, or somebody who has stolen keys, can sign.

Written apart from the operator's own code, so that a device is not tested by what it shares a mistake with.
"""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from agent.manifest import CHUNK_BYTES, MANIFEST, entry

if TYPE_CHECKING:
    from collections.abc import Mapping

Files = dict[str, bytes]
"""What lies below ``tuf/``, by its path there."""

ROOT_KEYS = ("root-1", "root-2", "root-3")
KEYS = (*ROOT_KEYS, "targets", "models", "fleet", "online")
DAYS = {"root": 730, "targets": 365, "models": 365, "fleet": 365, "snapshot": 30, "timestamp": 14}
PATHS = {"models": ["models/*/*/manifest.json"], "fleet": ["fleet/*.json"]}

_SERIALIZER = JSONSerializer(compact=True)


class TufFleet:
    """A repository. What its methods change is signed and published at once.

    Attributes:
        keys: who signs, by the key's name: ``root-1`` to ``root-3``, ``targets``, ``models``, ``fleet``, and
            ``online`` for snapshot and timestamp. Two of the root keys sign.
        now: the publisher's clock.
        days: after how many days metadata of a role expires.
        meta: the metadata as published, by the file's name. Nothing is taken away.
        blobs: the chunks of each file, by its SHA-256.
        roles: the metadata as it was signed last, by role.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.keys = {name: CryptoSigner.generate_ed25519() for name in KEYS}
        self.now = now or datetime.now(UTC)
        self.days = dict(DAYS)
        self.meta: Files = {}
        self.blobs: dict[str, list[bytes]] = {}
        self.roles: dict[str, Metadata[Any]] = {
            "root": Metadata(Root()),
            "targets": Metadata(Targets()),
            "models": Metadata(Targets()),
            "fleet": Metadata(Targets()),
            "snapshot": Metadata(Snapshot()),
            "timestamp": Metadata(Timestamp()),
        }
        for one in self.roles.values():
            one.signed.version = 0
        root = self.roles["root"].signed
        for role in ("targets", "snapshot", "timestamp"):
            root.add_key(self.key_of(role).public_key, role)
        for name in ROOT_KEYS:
            root.add_key(self.keys[name].public_key, "root")
        root.roles["root"].threshold = 2
        self._delegate()
        self.sign("root", "targets", "models", "fleet")

    @property
    def root(self) -> bytes:
        """The first root, which a device is born with."""
        return self.meta["1.root.json"]

    @property
    def hint(self) -> bytes:
        """What tells devices the newest versions, unsigned."""
        return json.dumps({"v": 1, **{role: self.version(role) for role in ("root", "timestamp")}}).encode()

    def files(self) -> Files:
        """Give all that is published: ``meta/...``, ``blob/<sha256>/<n>`` and ``hint``."""
        found = {f"meta/{name}": data for name, data in self.meta.items()}
        for sha256, chunks in self.blobs.items():
            found |= {f"blob/{sha256}/{number}": chunk for number, chunk in enumerate(chunks)}
        return found | {"hint": self.hint}

    def version(self, role: str) -> int:
        """Give the version of a role's metadata."""
        found: int = self.roles[role].signed.version
        return found

    def name(self, role: str) -> str:
        """Give the path of a role's newest metadata."""
        return f"meta/{self._file(role)}"

    def key_of(self, role: str) -> CryptoSigner:
        """Give the key that signs a role that has one."""
        return self.keys["online" if role in ("snapshot", "timestamp") else role]

    def add_bundle(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes],
        /,
        *,
        chunk_size: int = CHUNK_BYTES,
        **fields: object,
    ) -> str:
        """Publish a bundle; give its digest.

        Args:
            name: the model's.
            version: the model's.
            files: by their paths; the first one is the model.
            chunk_size: what the files are cut into.
            fields: of the manifest, beside or instead of what every bundle has.
        """
        manifest = {
            "schema": 2,
            "name": name,
            "version": version,
            "task": "classify",
            "license": "Apache-2.0",
            "model": next(iter(files)),
            "files": [entry(path, data, chunk_size).model_dump(mode="json") for path, data in files.items()],
            **fields,
        }
        for data in files.values():
            self.add_blob(data, chunk_size)
        return self.add_target("models", f"models/{name}/{version}/{MANIFEST}", json.dumps(manifest).encode())

    def add_document(self, path: str, document: bytes) -> str:
        """Publish ``fleet/keys.json``, ``fleet/policy.json``; give its SHA-256."""
        return self.add_target("fleet", path, document)

    def add_target(self, role: str, path: str, data: bytes, chunk_size: int = CHUNK_BYTES) -> str:
        """Publish a target that ``role`` vouches for, whatever it is; give its SHA-256."""
        sha256 = self.add_blob(data, chunk_size)
        custom = {"custom": {"chunk": chunk_size}} if chunk_size != CHUNK_BYTES else {}
        target = TargetFile(len(data), {"sha256": sha256}, path, unrecognized_fields=custom)
        self.roles[role].signed.targets[path] = target
        self.sign(role)
        return sha256

    def add_blob(self, data: bytes, chunk_size: int = CHUNK_BYTES) -> str:
        """Publish a file that no metadata names; give its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.blobs[sha256] = [data[at : at + chunk_size] for at in range(0, len(data), chunk_size)]
        return sha256

    def revoke(self, path: str) -> None:
        """Take a target away: ``models/<name>/<version>/manifest.json``, ``fleet/<name>.json``."""
        role = path.split("/", 1)[0]
        del self.roles[role].signed.targets[path]
        self.sign(role)

    def resign(self) -> None:
        """Sign snapshot and timestamp anew, as the online key does every day."""
        self.sign()

    def rotate(self, what: str) -> None:
        """Replace the keys of ``root``, ``online``, ``targets``, ``models`` or ``fleet``."""
        before = dict(self.keys)
        names = ROOT_KEYS if what == "root" else (what,)
        self.keys |= {name: CryptoSigner.generate_ed25519() for name in names}
        if what in PATHS:
            self._delegate()
            self.sign("targets", what)
            return
        root = self.roles["root"].signed
        roles = {"root": ("root",), "online": ("snapshot", "timestamp")}.get(what, (what,))
        for role in roles:
            for name in names:
                root.revoke_key(before[name].public_key.keyid, role)
                root.add_key(self.keys[name].public_key, role)
        self.sign("root", *({what} & {"targets"}), also=[before[name] for name in ROOT_KEYS[:2]])

    def fast_forward(self, version: int, *roles: str) -> None:
        """Go to this version with snapshot and timestamp, or with ``roles`` as well."""
        for role in (*roles, "snapshot", "timestamp"):
            self.roles[role].signed.version = version - 1
        self.sign(*roles)

    def stolen(self, *keys: str) -> Self:
        """Give what a thief of these keys has: a copy of all, and wrong keys in the place of the others."""
        thief = copy.copy(self)
        thief.keys = {
            name: key if name in keys else CryptoSigner.generate_ed25519() for name, key in self.keys.items()
        }
        thief.days = dict(self.days)
        thief.meta, thief.blobs = dict(self.meta), dict(self.blobs)
        thief.roles = copy.deepcopy(self.roles)
        return thief

    def sign(self, *roles: str, also: list[CryptoSigner] | None = None) -> None:
        """Publish the next version of ``roles``, of snapshot and of timestamp.

        Args:
            roles: beside those two.
            also: further keys that sign a root: those that it takes over from.
        """
        for role in roles:
            self.publish(role, also=also)
        for role in ("targets", "models", "fleet"):
            self.roles["snapshot"].signed.meta[f"{role}.json"] = MetaFile(self.version(role))
        self.publish("snapshot")
        self.roles["timestamp"].signed.snapshot_meta = MetaFile.from_data(
            self.version("snapshot"), self.meta[self._file("snapshot")], ["sha256"]
        )
        self.publish("timestamp")

    def publish(self, role: str, *, also: list[CryptoSigner] | None = None) -> None:
        """Sign the next version of one role and publish it, whatever the others say of it."""
        metadata = self.roles[role]
        metadata.signed.version += 1
        moment = self.now.replace(microsecond=0)
        metadata.signed.expires = moment + timedelta(days=self.days[role])
        metadata.signed.unrecognized_fields["x_issued"] = int(moment.timestamp())
        metadata.signatures.clear()
        signers = [self.keys[name] for name in ROOT_KEYS[:2]] if role == "root" else [self.key_of(role)]
        for signer in [*signers, *(also or [])]:
            metadata.sign(signer, append=True)
        self.meta[self._file(role)] = metadata.to_bytes(_SERIALIZER)

    def _file(self, role: str) -> str:
        return "timestamp.json" if role == "timestamp" else f"{self.version(role)}.{role}.json"

    def _delegate(self) -> None:
        """Say in ``targets`` whose keys sign for models and for the fleet's documents."""
        public = {role: self.keys[role].public_key for role in PATHS}
        self.roles["targets"].signed.delegations = Delegations(
            {key.keyid: key for key in public.values()},
            {
                role: DelegatedRole(role, [public[role].keyid], 1, terminating=True, paths=paths)
                for role, paths in PATHS.items()
            },
        )
