"""Whatever an operator does, in whatever order: a device that follows along at any moment takes it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tuf.ngclient import Updater

from agent.documents.keys import decode
from agent.fleet.repository import garbage, stranger
from agent.fleet.repository.catalog import Local
from agent.fleet.repository.repository import opened
from agent.updater.fetcher import ShelfFetcher
from tests.simulators.operating import add, ask, cheap_keys, make_bundle, operator

VERSIONS = st.sampled_from(["1.0", "2.0", "3.0"])
KEYS = st.sampled_from(["root", "targets", "models", "fleet", "online"])
ROLES = st.sampled_from(["root", "targets", "models", "fleet", "snapshot", "timestamp"])
DEVICES = st.integers(0, 2)


class Operator(RuleBasedStateMachine):
    """The operator's folder beside a plain model: which versions are published, with which content."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name) / "keys"
        self.published: dict[str, int] = {}
        self.number = 0

    def teardown(self) -> None:
        self.place.cleanup()

    @initialize()
    def begin(self) -> None:
        operator(self.folder)
        self.first = (self.folder / "tuf/meta/1.root.json").read_bytes()

    @rule(version=VERSIONS, large=st.booleans())
    def publish(self, version: str, large: bool) -> None:
        if version in self.published:
            return
        self.number += 1
        content = b"%d " % self.number * (2000 if large else 1)
        files = {"model.tflite": content, "shared.npy": b"shared" * 500}
        bundle = make_bundle(Path(self.place.name) / f"b{self.number}", version, files, chunk=1024)
        with opened(self.folder, ask) as repository:
            add(repository, bundle)
            repository.commit()
        self.published[version] = self.number

    @rule(version=VERSIONS)
    def revoke(self, version: str) -> None:
        if self.published.pop(version, None):
            with opened(self.folder, ask) as repository:
                repository.remove_bundle("shapes", version)
                repository.commit()

    @rule(what=KEYS)
    def rotate(self, what: str) -> None:
        with cheap_keys(), opened(self.folder, ask) as repository:
            repository.rotate(what)  # type: ignore[arg-type]
            repository.commit()

    @rule(role=ROLES)
    def resign(self, role: str) -> None:
        with opened(self.folder, ask) as repository:
            repository.renew(role)  # type: ignore[arg-type]
            repository.commit()

    @rule(names=st.lists(st.sampled_from(["shapes", "x*"]), max_size=2) | st.none())
    def policy(self, names: list[str] | None) -> None:
        with opened(self.folder, ask) as repository:
            repository.set_document("fleet/policy.json", None if names is None else b'{"v":1}')
            repository.commit()

    @rule()
    def collect_garbage(self) -> None:
        with opened(self.folder, ask) as repository:
            unneeded = garbage.unneeded_meta(repository), garbage.unneeded_blobs(repository)
            garbage.forget(repository, *unneeded)
            assert garbage.unneeded_meta(repository) == garbage.unneeded_blobs(repository) == set()

    @rule(device=DEVICES)
    def follow(self, device: int) -> None:
        """A device that was here before, or is new, takes what there is now."""
        place = Path(self.place.name) / f"device-{device}"
        place.mkdir(exist_ok=True)
        with opened(self.folder, ask) as repository:
            shelf = Local(repository)
            fetcher = ShelfFetcher(lambda name, most: shelf.get(f"meta/{name}", most))
            updater = Updater(str(place), "", fetcher=fetcher, bootstrap=self.first)
            updater.refresh()
            for version in ("1.0", "2.0", "3.0"):
                found = updater.get_targetinfo(f"models/shapes/{version}/manifest.json")
                assert (found is not None) == (version in self.published)

    @invariant()
    def a_stranger_proves_it_all(self) -> None:
        if not self.folder.exists():
            return
        with opened(self.folder, ask) as repository:
            assert not repository.pending
            seen = stranger.look(Local(repository), self.first)
            document = decode(repository.document("fleet/keys.json") or b"")
            assert [one.key_id for one in document.verifiers("desired")] == [repository.keys.control().key_id]
        assert seen.problems == []
        assert seen.bundles.keys() == {f"shapes@{version}" for version in self.published}


TestOperator = Operator.TestCase
TestOperator.settings = settings(max_examples=8, stateful_step_count=10, deadline=None)
