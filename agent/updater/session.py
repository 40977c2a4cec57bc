"""All that an updater does, without its process: proves metadata, then documents, then fetches bundles."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.documents import keys as key_documents
from agent.documents import policy as policy_documents
from agent.errors import Absent, AgentError, MessageInvalid
from agent.processes.ipc import MAX_PACKET
from agent.processes.message import flattened
from agent.published import target_path
from agent.updater import bundle, disk, fitness, targets
from agent.updater.messages import Ask, Brought, Done, Failed, Fetched, Progress, Withdrawn
from agent.updater.metadata import Trusted
from agent.updater.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.documents.policy import Policy
    from agent.manifest import Manifest
    from agent.updater.messages import FromUpdater, Held, UpdaterSpec
    from agent.updater.metadata import Target
    from agent.updater.seams import Shelf

    Say = Callable[[FromUpdater], None]

_PROGRESS_S = 1.0
_ANY_MODEL = target_path("-", "-")
"""A path that only shows who vouches for models."""


def run(spec: UpdaterSpec, shelf: Shelf, say: Say) -> None:
    """Do all that is asked for, and say what came of each; ``done`` is the last word.

    Metadata that is refused, or a policy that does not come, ends it: nothing is fetched that might not be
    allowed any more. A bundle that fails leaves the others alone.
    """
    session = _Session(spec, shelf, say)
    try:
        session.prepare()
    except AgentError as error:
        say(Failed(**flattened(error)))
    else:
        session.fetch(spec.ask)
    say(Done())


class _Session:
    def __init__(self, spec: UpdaterSpec, shelf: Shelf, say: Say) -> None:
        self._spec, self._shelf, self._say = spec, shelf, say
        self._folder = Path(spec.folder)
        self._room = Room(self._folder, spec.keep, spec.max_bytes)
        self._trusted = Trusted(self._folder / "tuf", shelf, spec.root.encode(), spec.floors)
        self._policy: Policy | None = None
        self._broken: AgentError | None = None

    def prepare(self) -> None:
        """Prove the metadata and the documents."""
        with disk.refusing("make folders", self._folder):
            for folder in (self._folder, self._room.bundles, self._room.incoming):
                disk.make_folder(folder)
        self._trusted.refresh()
        documents: AgentError | dict[str, Target | None]
        try:
            documents = {
                name: self._trusted.target(name) for name in (key_documents.TARGET, policy_documents.TARGET)
            }
        except AgentError as error:
            documents = error
        try:
            self._trusted.target(_ANY_MODEL)
        except AgentError as error:
            self._broken = error
        self._say(self._trusted.facts())
        if isinstance(documents, AgentError):
            raise documents
        self._bring(documents)
        if not self._broken:
            self._say(Withdrawn(digests=tuple(one.digest for one in self._spec.serving if self._gone(one))))
        if self._broken and not self._spec.ask:
            raise self._broken

    def _gone(self, held: Held) -> bool:
        """Whether nobody vouches for a bundle that serves any more."""
        target = self._trusted.target(target_path(held.name, held.version))
        return target is None or target.sha256 != held.digest

    def fetch(self, asks: tuple[Ask, ...]) -> None:
        """Fetch bundles, one after the other."""
        found: dict[Ask, Target] = {}
        for ask in asks:
            try:
                found[ask] = self._find(ask)
            except AgentError as error:
                self._say(Failed(**flattened(error), name=ask.name, version=ask.version))
        wanted = [target.sha256 for target in found.values()]
        for ask, target in found.items():
            try:
                with disk.refusing("clean", self._room.incoming):
                    self._room.clean(wanted)
                self._say(self._fetch(ask, target))
            except AgentError as error:
                self._say(Failed(**flattened(error), name=ask.name, version=ask.version))

    def _bring(self, documents: dict[str, Target | None]) -> None:
        """Fetch the documents and say them; the policy holds from here on."""
        keys = self._read(documents[key_documents.TARGET], key_documents.MAX_BYTES)
        if keys is not None:
            key_documents.decode(keys)
        self._tell(key_documents.TARGET, keys)  # at once: a key that was revoked must not wait for a policy
        policy = self._read(documents[policy_documents.TARGET], policy_documents.MAX_BYTES)
        self._policy = None if policy is None else policy_documents.decode(policy)
        self._tell(policy_documents.TARGET, policy)

    def _tell(self, name: str, body: bytes | None) -> None:
        brought = Brought(name=name, body=(body or b"").decode())
        if len(brought.model_dump_json().encode()) > MAX_PACKET:  # a line's end takes two bytes there
            raise MessageInvalid("read", name, "it is too large to pass on", "Publish it without blanks")
        self._say(brought)

    def _read(self, target: Target | None, most: int) -> bytes | None:
        if target is None:
            return None
        if hashlib.sha256(self._spec.policy.encode()).hexdigest() == target.sha256:
            return self._spec.policy.encode()  # the one that the supervisor has kept
        return targets.read(self._shelf, target, most)

    def _find(self, ask: Ask) -> Target:
        if self._broken:
            raise self._broken
        if self._policy:
            self._policy.check_name(ask.name, ask.version)
        target = self._trusted.target(target_path(ask.name, ask.version))
        if target is None:
            problem = "the fleet's metadata does not name it: it is not published, or was revoked"
            hint = "Publish it with: edgectl publish; or deploy another model"
            raise Absent("fetch model", f"{ask.name}@{ask.version}", problem, hint)
        return target

    def _fetch(self, ask: Ask, target: Target) -> Fetched:
        data, manifest = bundle.read_manifest(self._shelf, target, ask.name, ask.version)
        if self._policy:
            self._policy.check(manifest)
        with disk.refusing("look at", self._folder):
            fitness.check(manifest, fitness.this_machine(disk.disk_bytes(self._folder)))
            place = self._room.bundles / target.sha256
            whole = bundle.is_whole(place, data, manifest)
        fetched = 0
        if not whole:
            fetched = bundle.install(self._shelf, self._room, data, manifest, self._progress(ask, manifest))
        self._room.hold(target.sha256)
        size = manifest.size + len(data)
        return Fetched(name=ask.name, version=ask.version, digest=target.sha256, size=size, fetched=fetched)

    def _progress(self, ask: Ask, manifest: Manifest) -> Callable[[int], None]:
        """Give what says how far a bundle is: at once, at the end, and about once a second between."""
        due = 0.0

        def tell(done: int) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due or done == manifest.size:
                due = now + _PROGRESS_S
                self._say(Progress(name=ask.name, version=ask.version, done=done, total=manifest.size))

        return tell
