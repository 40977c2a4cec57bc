"""The update metadata: python-tuf proves it, and this looks again at what python-tuf cannot know.

That is: versions that this device has seen before its files were lost, and a clock that runs behind. Both
are kept as floors, which only rise. A floor hangs on the keys that may sign the role: keys that a thief has
driven to version 999999, or to the year 2099, are replaced, and their floors with them. That of the root
hangs on the root that trust starts from: a device that is given another fleet's begins anew.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from tuf.api.metadata import Metadata, Root, Targets
from tuf.ngclient import Updater, UpdaterConfig

from agent import BUILT
from agent.errors import Absent, FetchFailed, MetadataRefused
from agent.manifest import CHUNK_BYTES
from agent.published import HINT, ISSUED, META, MOST_BYTES, MOST_CHUNK, MOST_TARGETS
from agent.updater import disk, refusals
from agent.updater.fetcher import ShelfFetcher
from agent.updater.messages import Refreshed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from tuf.api.metadata import Role, TargetFile

    from agent.updater.seams import Shelf

_HINT_BYTES = 1 << 10
_ROOT = "tuf/root"
_LEAST_CHUNK = 1 << 10
_LONGEST = (1 << 53) - 1
CONFIG = UpdaterConfig(
    max_delegations=1,  # roles that targets delegates to, and none below: each has its floor
    root_max_length=MOST_BYTES["root"],
    timestamp_max_length=MOST_BYTES["timestamp"],
    snapshot_max_length=MOST_BYTES["snapshot"],
    targets_max_length=MOST_TARGETS,
)


@dataclass(frozen=True, slots=True)
class Target:
    """A file that the metadata vouches for.

    Attributes:
        path: its name there.
        sha256: of its bytes, 64 hex digits.
        size: its bytes.
        chunk: bytes of the pieces that it travels in.
    """

    path: str
    sha256: str
    size: int
    chunk: int


class Trusted:
    """What the operator has signed, as far as it is proved.

    Args:
        folder: where the proved metadata is kept; it is made if it is not there.
        shelf: where the published metadata comes from.
        root: the metadata that trust starts from.
        floors: the lowest versions that are taken, by name, and ``clock``.
        now: the wall clock, seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        shelf: Shelf,
        root: bytes,
        floors: Mapping[str, int],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._shelf, self._root, self._now = folder, shelf, root, now
        self._known = dict(floors)
        self._of_root = f"{_ROOT}/{hashlib.sha256(root).hexdigest()[:16]}"
        self._floors: dict[str, int] = {}
        self._signed: dict[str, Any] = {}
        self._sound: set[str] = set()
        self._updater: Updater | None = None

    def refresh(self) -> None:
        """Bring root, timestamp, snapshot and targets up to date.

        Raises:
            MetadataRefused: it is forged, expired, or older than what is known.
            FetchFailed: it does not come.
            LinkLost: the other side is away.
            StoreBusy: it cannot be kept.
        """
        newest_root = self._hinted()
        if newest_root is not None:
            try:
                self._climb(newest_root)
            except (MetadataRefused, Absent):  # a hint that hides a root must not hurt
                newest_root = None
        if newest_root is None:
            self._climb(None)

    def target(self, path: str) -> Target | None:
        """Give what is vouched for under this path; None when nobody does.

        Raises:
            MetadataRefused: as for ``refresh``, and for what cannot be fetched by its hash; and the others.
        """
        found = self._lookup(path)
        targets = self._signed["targets"]
        role = _in_charge(targets, path)
        if role and role not in self._sound:
            self._take(role, targets)
            self._check(tuple(self._signed))  # its clock counts for the others, too
            self._sound.add(role)
        if found is None:
            return None
        return as_target(found)

    def facts(self) -> Refreshed:
        """Say what is proved, and the floors that follow."""
        timestamp = self._signed["timestamp"]
        return Refreshed(
            floors=self._floors,
            root=self._signed["root"].version,
            timestamp=timestamp.version,
            expires=_seconds(timestamp.expires),
        )

    def _hinted(self) -> int | None:
        """The newest root's version as the publisher hints, if it can be true; else None."""
        try:
            hint = orjson.loads(self._shelf.get(HINT, _HINT_BYTES))
        except (FetchFailed, orjson.JSONDecodeError):
            return None
        newest = hint.get("root") if isinstance(hint, dict) and hint.get("v") == 1 else None
        return newest if type(newest) is int and newest >= max(1, self._lowest(self._of_root)) else None

    def _climb(self, newest_root: int | None) -> None:
        fetcher = ShelfFetcher(lambda name, most: self._shelf.get(f"{META}/{name}", most), newest_root)
        with disk.refusing("keep metadata", self._folder), refusals.explained(fetcher):
            disk.make_folder(self._folder)
            self._updater = Updater(
                str(self._folder), "", fetcher=fetcher, config=CONFIG, bootstrap=self._root
            )
            self._fetcher = fetcher
            self._updater.refresh()
        self._floors.clear()
        self._signed.clear()
        self._sound.clear()
        root = self._take("root", None)
        for role in ("timestamp", "snapshot", "targets"):
            self._take(role, root)
        self._check(("root", "timestamp", "snapshot", "targets"))

    def _lookup(self, path: str) -> Any:
        if self._updater is None:
            raise RuntimeError("not refreshed")
        with disk.refusing("keep metadata", self._folder), refusals.explained(self._fetcher):
            return self._updater.get_targetinfo(path)

    def _take(self, role: str, parent: Root | Targets | None) -> Any:
        """Read what python-tuf has kept, and prove once more that it is signed; note its floors."""
        with disk.refusing("read metadata", self._folder), refusals.explained(self._fetcher):
            metadata: Metadata[Any] = Metadata.from_file(str(self._folder / f"{quote(role, '')}.json"))
            signed = metadata.signed
            (parent or signed).verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        self._signed[role] = signed
        keys = "" if parent is None else _keys(parent.get_delegated_role(role))
        key = f"tuf/{role}/{keys}" if keys else self._of_root
        if not 0 < signed.version <= _LONGEST:
            problem = f"no publisher counts up to version {signed.version}"
            raise MetadataRefused("prove metadata", role, problem, refusals.REPLAYED)
        lowest = self._lowest(key)
        if signed.version < lowest:
            problem = f"version {signed.version} is offered, and this device has seen {lowest}"
            raise MetadataRefused("prove metadata", role, problem, refusals.REPLAYED)
        self._floors[key] = signed.version
        clock = f"tuf/clock/{keys}" if keys else "clock"
        issued = signed.unrecognized_fields.get(ISSUED, 0)
        lowest = max(BUILT, self._known.get(clock, 0), self._floors.get(clock, 0))
        valid = type(issued) is int and 0 <= issued <= _LONGEST
        self._floors[clock] = max(lowest, issued if valid else 0)
        return signed

    def _lowest(self, key: str) -> int:
        """The floor of this name; an earlier release knew one of all roots, before it was given another."""
        of_any = key == self._of_root and not any(name.startswith(f"{_ROOT}/") for name in self._known)
        return self._known.get(key, self._known.get(_ROOT, 0) if of_any else 0)

    def _check(self, roles: tuple[str, ...]) -> None:
        """Look whether roles have expired, by the clock, or by its floor where it runs behind."""
        floor = max(n for name, n in self._floors.items() if name == "clock" or name.startswith("tuf/clock/"))
        behind = self._now() < floor
        moment = floor if behind else self._now()
        for role in roles:
            if _seconds(self._signed[role].expires) <= moment:
                clock = "what was signed since; this device's clock runs behind" if behind else "the clock"
                problem = f"it has expired on {self._signed[role].expires:%Y-%m-%d}, by {clock}"
                raise MetadataRefused("prove metadata", role, problem, refusals.EXPIRED)


def as_target(found: TargetFile) -> Target:
    """Take what is needed to fetch a file by its hash.

    Raises:
        MetadataRefused: something is missing.
    """
    sha256 = found.hashes.get("sha256", "")
    if len(sha256) != 64 or sha256.strip("0123456789abcdef"):
        raise MetadataRefused("prove metadata", found.path, "it has no sha256", refusals.PUBLISH)
    custom = found.custom if isinstance(found.custom, dict) else {}
    chunk = custom.get("chunk", CHUNK_BYTES)
    if type(chunk) is not int or not _LEAST_CHUNK <= chunk <= MOST_CHUNK:
        raise MetadataRefused("prove metadata", found.path, "its chunks have no size", refusals.PUBLISH)
    return Target(found.path, sha256, found.length, chunk)


def _in_charge(targets: Targets, path: str) -> str:
    """Name the role below ``targets`` that speaks of this path; "" when there is none."""
    if targets.delegations is None or path in targets.targets:
        return ""
    return next((name for name, _ in targets.delegations.get_roles_for_target(path)), "")


def _keys(role: Role) -> str:
    """Name the keys that may sign a role, and how many of them must."""
    text = f"{','.join(sorted(role.keyids))};{role.threshold}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
