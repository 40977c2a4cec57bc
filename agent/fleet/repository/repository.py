"""The operator's repository: what it vouches for, and how that changes: all of a change, or nothing of it.

A change is made in memory, signed as a whole, and written with the timestamp last. What a kill leaves is told
apart when the repository is opened: keys that are to replace others take their place or go, and what their
change has left unsigned is signed with the next commit.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuf.api.metadata import TargetFile

from agent import manifest as manifests
from agent.errors import AgentError, ConfigInvalid
from agent.files import advice
from agent.fleet.repository.keystore import Keystore
from agent.fleet.repository.metadata import Roles
from agent.fleet.repository.roles import DELEGATED, KEYS, SIGNED_TARGETS, key_names
from agent.fleet.repository.signers import CONTROL, Signers
from agent.fleet.repository.tree import Tree
from agent.manifest import CHUNK_BYTES
from agent.published import file_name, target_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.fleet.repository.roles import Role, Rotation
    from agent.manifest import Manifest

_ORDER: tuple[Role, ...] = ("root", *SIGNED_TARGETS, "snapshot", "timestamp")
"""In which files are written: a device that sees the last finds all the others."""


class Repository:
    """An open repository; ``opened`` gives one.

    Attributes:
        keys: the operator's keys.
        tree: the files.
        roles: the metadata.
        cuts: the size of the chunks, bytes, in which each file is published or ever was.
    """

    def __init__(self, folder: Path, ask: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        self.keys = Keystore(folder, ask)
        self.tree = Tree(folder)
        self.roles = Roles(self.tree, clock)
        self._signers = Signers(self.keys, self.roles)
        self._changed: set[str] = set()
        self.cuts: dict[str, int] = {}

    @property
    def pending(self) -> bool:
        """Whether something waits for ``commit``: a change, or what a kill has left unsigned."""
        return bool(self._changed)

    def load(self) -> None:
        """Read what counts, and repair what a kill has left.

        Raises:
            MetadataRefused: the folder is damaged.
            OSError: the disk refuses.
        """
        self.roles.load()
        self.cuts = self.tree.cuts()
        self._signers.know_root()
        self._signers.repair(self.document(KEYS))
        self._changed = self.roles.unproved()

    def begin(self) -> None:
        """Make a repository that vouches for nothing but its control key; ``commit`` writes it.

        Raises:
            ConfigInvalid: a key is missing.
        """
        self.roles.begin(self.keys.public)
        self._signers.know_root()
        self._changed = {"root", *SIGNED_TARGETS}
        self.set_document(KEYS, self._signers.control_keys())

    def bundles(self) -> dict[tuple[str, str], TargetFile]:
        """Give the targets of all bundles, by name and version."""
        found = {}
        for path, target in sorted(self.roles.targets("models").targets.items()):
            _, name, version, _ = path.split("/")
            found[name, version] = target
        return found

    def bundle(self, name: str, version: str, op: str) -> TargetFile:
        """Give a bundle's target.

        Args:
            name: the model's.
            version: the model's.
            op: what is to be done with it, for errors.

        Raises:
            ConfigInvalid: it is not published; those that are, are named.
        """
        there = self.bundles()
        if (name, version) in there:
            return there[name, version]
        some = [one for one in there if one[0] == name] or list(there)
        known = ", ".join(f"{one}@{version}" for one, version in some[-20:])
        hint = f"Published are: {known}" if known else "Nothing is: edgectl publish BUNDLE"
        raise ConfigInvalid(op, f"{name}@{version}", "it is not published", hint)

    def manifest(self, target: TargetFile) -> Manifest:
        """Read the manifest that a target is.

        Raises:
            AgentError: the file is missing.
            ManifestInvalid: it is damaged.
        """
        return manifests.parse(self.content(target), target.path)

    def content(self, target: TargetFile) -> bytes:
        """Read a target's file.

        Raises:
            AgentError: it is missing.
        """
        path = self.tree.blob(target.hashes["sha256"])
        try:
            return path.read_bytes()
        except OSError as error:
            hint = "Copy it from a backup, or revoke what it belongs to"
            raise AgentError("read", str(path), error.strerror or str(error), hint) from error

    def document(self, path: str) -> bytes | None:
        """Give one of the fleet's documents; None where there is none."""
        target = self.roles.targets("fleet").targets.get(path)
        return None if target is None else self.content(target)

    def add_bundle(self, name: str, version: str, content: bytes, cuts: dict[str, int]) -> None:
        """Vouch for a bundle whose files are in the tree. Its manifest is cut no larger than they are.

        Args:
            name: the model's.
            version: the model's.
            content: the manifest's bytes.
            cuts: the size of the chunks of each of its files, bytes, by SHA-256.

        Raises:
            OSError: the disk refuses.
        """
        chunk = min(CHUNK_BYTES, max(cuts.values(), default=CHUNK_BYTES))
        self._add("models", target_path(name, version), content, chunk)
        self.cuts |= cuts

    def remove_bundle(self, name: str, version: str) -> None:
        """Vouch for a bundle no longer.

        Raises:
            ConfigInvalid: it is not published.
        """
        del self.roles.targets("models").targets[self.bundle(name, version, "revoke").path]
        self._changed.add("models")

    def set_document(self, path: str, content: bytes | None) -> None:
        """Publish one of the fleet's documents, or withdraw it with None.

        Raises:
            OSError: the disk refuses.
        """
        if content is not None:
            self._add("fleet", path, content)
        elif self.roles.targets("fleet").targets.pop(path, None) is not None:
            self._changed.add("fleet")

    def renew(self, *roles: Role) -> None:
        """Sign roles anew, as they are, for as long as they may last; the timestamp always is."""
        self._changed |= {*roles, "timestamp"}

    def rotate(self, what: Rotation) -> None:
        """Replace keys: those of a role, and with ``fleet`` the control key, too.

        Raises:
            ConfigInvalid: too few root keys are here, or there is no passphrase.
            OSError: the disk refuses.
        """
        if what not in DELEGATED:
            self._signers.roots()  # before a key is made
        names = key_names("timestamp" if what == "online" else what)
        self._signers.replace(*names, *([CONTROL] if what == "fleet" else []))
        if what in DELEGATED:
            self.roles.delegate(self._signers.public)
            self._changed |= {what, "targets"}
        else:
            self._name_in_root(what)
        if what == "fleet":
            self.set_document(KEYS, self._signers.control_keys())

    def commit(self, check: Callable[[str, bytes], object] = lambda _name, _content: None) -> None:
        """Sign what has changed, and write it durably, the timestamp last.

        Args:
            check: told of each file that would be written, before any is; it may refuse.

        Raises:
            ConfigInvalid: a key is missing, or the passphrase does not open it.
            MetadataRefused: devices would not take so much.
            AgentError: this machine's clock is behind what was signed last.
            OSError: the disk refuses; what counted before counts still, and so does the next commit.
        """
        if not self._changed:
            return
        contents = self._signed()
        if wrong := self.roles.unproved():
            problem = f"the keys here are not those that the metadata names for {', '.join(sorted(wrong))}"
            hint = "Put the right files there: keys may have been rotated in another copy"
            raise ConfigInvalid("sign with", str(self.keys.path("*").parent), problem, hint)
        for role, content in contents.items():
            check(self.roles.name(role), content)
        self.tree.write_cuts(self.cuts)
        for role, content in contents.items():
            self.roles.write(role, content)
        self._signers.settle()
        self._changed.clear()

    def _signed(self) -> dict[str, bytes]:
        """Sign what has changed, in memory; give the files by role, in the order of writing."""
        contents: dict[str, bytes] = {}
        for role in _ORDER:
            if role == "snapshot":
                self.roles.refer(contents)
                if not contents.keys() & set(SIGNED_TARGETS) and "snapshot" not in self._changed:
                    continue
            elif role == "timestamp":
                if "snapshot" in contents:
                    self.roles.stamp(contents["snapshot"])
            elif role not in self._changed:
                continue
            contents[role] = self.roles.sign(role, self._signers.of(role))
        return contents

    def take_over(self, version: int, snapshot: bytes, timestamp: bytes) -> None:
        """Let a newer timestamp count, which another copy has signed for what is published here, too.

        Raises:
            OSError: the disk refuses.
        """
        self.tree.write_meta(file_name("snapshot", version), snapshot)
        self.tree.write_meta("timestamp.json", timestamp)
        self.roles.load()
        self._changed = self.roles.unproved()

    def _add(self, role: str, path: str, content: bytes, chunk: int = CHUNK_BYTES) -> None:
        """Vouch for a small file; what is not cut as usual says so."""
        sha256 = self.tree.put(content)
        custom = {"custom": {"chunk": chunk}} if chunk < min(CHUNK_BYTES, len(content)) else None
        target = TargetFile(len(content), {"sha256": sha256}, path, custom)
        self.roles.targets(role).targets[path] = target
        self.cuts[sha256] = chunk if custom else CHUNK_BYTES
        self._changed.add(role)

    def _name_in_root(self, what: str) -> None:
        """Have the next root name the new keys."""
        root = self.roles.root
        roles = ("snapshot", "timestamp") if what == "online" else (what,)
        for role in roles:
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            for name in key_names(role):
                root.add_key(self._signers.public(name), role)
        self._changed |= {"root", *roles}


@contextmanager
def opened(
    folder: Path, ask: Callable[[], str], clock: Callable[[], float] = time.time
) -> Iterator[Repository]:
    """Open the repository in an operator's folder, and keep others out.

    Args:
        folder: what ``edgectl init`` made.
        ask: gives the passphrase, if a key must be opened.
        clock: wall time, seconds since 1970.

    Raises:
        ConfigInvalid: there is none.
        MetadataRefused: it is damaged.
        AgentError: somebody else is at work in it, or the disk refuses.
    """
    found = Repository(folder, ask, clock)
    if not found.tree.there:
        hint = f"Make one with: edgectl init {folder}"
        raise ConfigInvalid("open", f"repository {folder}", "there is none", hint)
    try:
        with found.tree.alone():
            found.load()
            yield found
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("write repository in", str(folder), problem, advice(error)) from error
