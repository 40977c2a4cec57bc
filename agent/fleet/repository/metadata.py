"""The six pieces of metadata as they stand: read from disk, changed in memory, signed and written in order.

What the newest ``timestamp.json`` leads to is what counts, under the newest root. A kill between any two
writes leaves files that nothing leads to, which the next commit writes over: they were never published.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from agent import BUILT
from agent.errors import AgentError, MetadataRefused
from agent.fleet.repository.roles import DAYS, DELEGATED, SIGNED_TARGETS, THRESHOLD, key_names
from agent.published import ISSUED, MOST_BYTES, file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securesystemslib.signer import CryptoSigner, SSlibKey

    from agent.fleet.repository.tree import Tree

_SERIALIZER = JSONSerializer(compact=True)
_BACK_S = 60
"""A clock may be so far behind the last signature."""


class Roles:
    """The metadata of one repository, by role.

    Args:
        tree: where it lies.
        clock: wall time, seconds since 1970.
    """

    def __init__(self, tree: Tree, clock: Callable[[], float] = time.time) -> None:
        self._tree = tree
        self._clock = clock
        self._of: dict[str, Metadata[Any]] = {}

    @property
    def root(self) -> Root:
        """The newest root."""
        found: Root = self._of["root"].signed
        return found

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        found: Snapshot = self._of["snapshot"].signed
        return found

    def targets(self, role: str) -> Targets:
        """What ``targets``, ``models`` or ``fleet`` vouches for."""
        found: Targets = self._of[role].signed
        return found

    def version(self, role: str) -> int:
        """Give the version that counts."""
        found: int = self._of[role].signed.version
        return found

    def expires(self, role: str) -> datetime:
        """Give the moment from which a role counts no longer."""
        found: datetime = self._of[role].signed.expires
        return found

    def left_days(self, role: str) -> float:
        """Give the days until then; negative afterwards."""
        return (self.expires(role).timestamp() - self._clock()) / 86400

    def name(self, role: str) -> str:
        """Give the name of the file that counts."""
        return file_name(role, self.version(role))

    def begin(self, public: Callable[[str], SSlibKey]) -> None:
        """Make a repository that vouches for nothing yet.

        Args:
            public: gives a key's public half by its name.
        """
        root = Root(consistent_snapshot=True)
        for role in ("root", "targets", "snapshot", "timestamp"):
            for name in key_names(role):
                root.add_key(public(name), role)
        root.roles["root"].threshold = THRESHOLD
        kinds: dict[str, Any] = {
            "root": root,
            "targets": Targets(),
            "models": Targets(),
            "fleet": Targets(),
            "snapshot": Snapshot(),
            "timestamp": Timestamp(),
        }
        self._of = {role: Metadata(signed) for role, signed in kinds.items()}
        for one in self._of.values():
            one.signed.version = 0
        self.delegate(public)

    def delegate(self, public: Callable[[str], SSlibKey]) -> None:
        """Say in ``targets`` whose keys sign for models and for documents."""
        keys = {role: public(role) for role in DELEGATED}
        self.targets("targets").delegations = Delegations(
            {key.keyid: key for key in keys.values()},
            {
                role: DelegatedRole(role, [keys[role].keyid], 1, terminating=True, paths=paths)
                for role, paths in DELEGATED.items()
            },
        )

    def load(self) -> None:
        """Read what counts from the disk.

        Raises:
            MetadataRefused: a file is missing or damaged.
        """
        roots = self._tree.versions("root")
        if roots != list(range(1, len(roots) + 1)) or not roots:
            problem = "the chain of roots has a hole" if roots else "there is no root"
            raise _damaged(str(self._tree.root), problem)
        self._of = {"root": self._read("root", file_name("root", roots[-1]))}
        self._of["timestamp"] = self._read("timestamp", "timestamp.json")
        snapshot = self._of["timestamp"].signed.snapshot_meta.version
        self._of["snapshot"] = self._read("snapshot", file_name("snapshot", snapshot))
        for role in SIGNED_TARGETS:
            found = self._of["snapshot"].signed.meta.get(f"{role}.json")
            if found is None:
                raise _damaged(self.name("snapshot"), f"it does not name {role}")
            self._of[role] = self._read(role, file_name(role, found.version))

    def unproved(self) -> set[str]:
        """Give the roles whose signatures do not hold under the keys that count now.

        So it is after a kill between a rotation of keys and what must be signed anew then.
        """
        return {role for role in self._of if role != "root" and not self._proved(role)}

    def skip(self, role: str, version: int) -> None:
        """Have the next version of a role be larger than ``version``."""
        self._of[role].signed.version = max(self.version(role), version)

    def issued(self) -> int:
        """Give the moment of the last signature, seconds since 1970."""
        return max(int(one.signed.unrecognized_fields.get(ISSUED, 0)) for one in self._of.values())

    def sign(self, role: str, signers: Sequence[CryptoSigner]) -> bytes:
        """Sign the next version of a role; give the file's bytes. The disk has it only after ``write``.

        Raises:
            MetadataRefused: devices would not take so much.
            AgentError: this machine's clock is behind the last signature, or far ahead of it.
        """
        now = self._now()
        metadata = self._of[role]
        metadata.signed.version += 1
        metadata.signed.expires = datetime.fromtimestamp(now, UTC) + timedelta(days=DAYS[role])
        metadata.signed.unrecognized_fields[ISSUED] = now
        metadata.signatures.clear()
        for signer in signers:
            metadata.sign(signer, append=True)
        content: bytes = metadata.to_bytes(_SERIALIZER)
        if len(content) > MOST_BYTES[role]:
            problem = f"it has {len(content)} bytes, and devices take {MOST_BYTES[role]}"
            raise MetadataRefused("sign", self.name(role), problem, "Revoke models that nobody runs")
        return content

    def refer(self, contents: dict[str, bytes]) -> None:
        """Have the snapshot name the newest versions; ``contents`` holds the bytes of new files by role."""
        meta = self._of["snapshot"].signed.meta
        for role in SIGNED_TARGETS:
            if role in contents:
                meta[f"{role}.json"] = MetaFile.from_data(self.version(role), contents[role], ["sha256"])

    def stamp(self, snapshot: bytes) -> None:
        """Have the timestamp name the snapshot."""
        found = MetaFile.from_data(self.version("snapshot"), snapshot, ["sha256"])
        self._of["timestamp"].signed.snapshot_meta = found

    def write(self, role: str, content: bytes) -> None:
        """Write the newest version of a role durably.

        Raises:
            OSError: the disk refuses.
        """
        self._tree.write_meta(self.name(role), content)

    def _now(self) -> int:
        """Give the time, seconds since 1970; no device believes an earlier one, once it has seen it."""
        now, last = int(self._clock()), self.issued()
        if now < last - _BACK_S:
            problem = "its clock is behind what was signed last"
            raise AgentError("sign on", "this machine", problem, "Set the clock")
        if last and now > max(last, BUILT) + DAYS["root"] * 86400:
            problem = "its clock is years ahead of what was signed last"
            hint = "Set the clock; if it is right, install the newest edgectl"
            raise AgentError("sign on", "this machine", problem, hint)
        return now

    def _proved(self, role: str) -> bool:
        above = self._of["targets"].signed if role in DELEGATED else self.root
        metadata = self._of[role]
        result = above.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        return bool(result.verified)

    def _read(self, role: str, name: str) -> Metadata[Any]:
        path = self._tree.meta(name)
        try:
            metadata: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
        except (DeserializationError, RepositoryError) as error:
            raise _damaged(str(path), "it is damaged") from error
        except OSError as error:
            raise _damaged(str(path), error.strerror or str(error)) from error
        if metadata.signed.type != (role if role not in DELEGATED else "targets"):
            raise _damaged(str(path), f"it is no {role}")
        return metadata


def _damaged(subject: str, problem: str) -> MetadataRefused:
    return MetadataRefused("read", subject, problem, "Copy the operator's folder from a backup")
