"""The operator's repository: python-tuf's client takes what it makes, and nothing that was changed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tuf.api.metadata import Metadata

from agent import BUILT
from agent.documents import keys as control_keys
from agent.errors import AgentError, ConfigInvalid, FetchFailed, ManifestInvalid, MetadataRefused
from agent.fleet.repository import begin, report, stranger
from agent.fleet.repository.catalog import Local, blobs
from agent.fleet.repository.keystore import NAMES, Keystore
from agent.fleet.repository.repository import opened
from agent.fleet.repository.roles import DAYS
from agent.fleet.repository.work import expiring
from tests.simulators.operating import PASSPHRASE, ask, cheap_keys, make_bundle, meta, operator, publish, seen

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stranger_who_knows_the_first_root_proves_a_new_repository(folder: Path) -> None:
    found = seen(folder)
    assert set(found.versions.values()) == {1}
    assert (found.bundles, found.problems) == ({}, [])


def test_a_bundle_is_proved_to_its_last_file(folder: Path, tmp_path: Path) -> None:
    source = make_bundle(tmp_path / "b", files={"m.tflite": b"x" * 5000, "g.npy": b"y"}, chunk=1024)
    publish(folder, source)
    found = seen(folder)
    assert found.bundles.keys() == {"shapes@1.0.0"}
    assert found.bytes > 5000
    assert found.problems == []
    assert found.versions == {"root": 1, "targets": 1, "fleet": 1, "models": 2, "snapshot": 2, "timestamp": 2}


def test_a_manifest_is_cut_no_larger_than_the_files_that_it_names(folder: Path, tmp_path: Path) -> None:
    files = {"m.tflite": b"x" * 50_000, "g.npy": b"y"}
    publish(folder, make_bundle(tmp_path / "b", files=files, chunk=1024))
    with opened(folder, ask) as repository:
        (target,) = repository.bundles().values()
        assert target.custom == {"chunk": 1024}
        assert max(piece.size for piece in blobs(repository)) == 1024
    assert seen(folder).problems == []


def test_each_role_is_signed_for_as_long_as_it_may_last_and_says_when(tmp_path: Path) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC).timestamp()
    folder = operator(tmp_path / "keys", lambda: now + 0.5)
    for name in ("1.root", "1.targets", "1.models", "1.fleet", "1.snapshot", "timestamp"):
        signed = json.loads(meta(folder, f"{name}.json").read_bytes())["signed"]
        role = name.rpartition(".")[2]
        days = (datetime.fromisoformat(signed["expires"]).timestamp() - now) / 86400
        assert (days, signed["x_issued"]) == (DAYS[role], now)


def test_the_root_is_two_of_three_and_each_role_has_a_key_of_its_own(folder: Path) -> None:
    signed = json.loads(meta(folder, "1.root.json").read_bytes())["signed"]
    assert (signed["roles"]["root"]["threshold"], len(signed["roles"]["root"]["keyids"])) == (2, 3)
    assert signed["consistent_snapshot"] is True
    assert signed["roles"]["snapshot"] == signed["roles"]["timestamp"]
    targets = json.loads(meta(folder, "1.targets.json").read_bytes())["signed"]["delegations"]
    assert [(one["name"], one["terminating"], one["paths"]) for one in targets["roles"]] == [
        ("models", True, ["models/*/*/manifest.json"]),
        ("fleet", True, ["fleet/*.json"]),
    ]
    assert len({*signed["keys"], *targets["keys"]}) == 7


def test_the_control_key_is_vouched_for(folder: Path) -> None:
    with opened(folder, ask) as repository:
        document = control_keys.decode(repository.document("fleet/keys.json") or b"")
        (verifier,) = document.verifiers("desired")
        assert verifier.key_id == repository.keys.control().key_id
        assert [one.key_id for one in document.verifiers("command")] == [verifier.key_id]


@pytest.mark.parametrize("role", ["root", "targets", "models", "fleet", "snapshot", "timestamp"])
def test_metadata_with_a_changed_byte_is_refused(folder: Path, role: str) -> None:
    first = meta(folder, "1.root.json").read_bytes()
    path = meta(folder, "timestamp.json" if role == "timestamp" else f"1.{role}.json")
    content = path.read_bytes()
    for change in (
        content.replace(b'"x_issued":1', b'"x_issued":2'),
        content.replace(b'"sig":"', b'"sig":"0'),
    ):
        assert change != content
        path.write_bytes(change)
        with opened(folder, ask) as repository, pytest.raises((MetadataRefused, FetchFailed)):
            stranger.look(Local(repository), change if role == "root" else first)


def test_a_blob_with_a_changed_byte_is_found(folder: Path, tmp_path: Path) -> None:
    publish(folder, make_bundle(tmp_path / "b", files={"m.tflite": b"x" * 5000, "g.npy": b"y"}, chunk=1024))
    for path in (folder / "tuf/blob").iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
        if content[:1] != b"{":  # a damaged document cannot even be opened
            assert len(seen(folder).problems) == 1
        path.write_bytes(content)
    assert seen(folder).problems == []


@pytest.mark.parametrize("what", ["root", "targets", "models", "fleet", "online"])
def test_after_a_rotation_a_stranger_who_knows_the_first_root_still_follows(
    folder: Path, tmp_path: Path, what: str
) -> None:
    publish(folder, make_bundle(tmp_path / "b"))
    before = {name: Keystore(folder, ask).public_pem(name) for name in NAMES}
    with cheap_keys(), opened(folder, ask) as repository:
        repository.rotate(what)  # type: ignore[arg-type]
        repository.commit()
    after = {name: Keystore(folder, ask).public_pem(name) for name in NAMES}
    changed = {name for name in NAMES if before[name] != after[name]}
    wanted = {"root": {"root-1", "root-2", "root-3"}, "fleet": {"fleet", "control"}}
    assert changed == wanted.get(what, {what})
    assert not list(folder.glob("*.next.key"))
    assert seen(folder).bundles.keys() == {"shapes@1.0.0"}
    publish(folder, make_bundle(tmp_path / "c", "2.0.0"))
    assert seen(folder).bundles.keys() == {"shapes@1.0.0", "shapes@2.0.0"}


def test_what_an_old_online_key_signs_counts_no_longer_after_its_rotation(folder: Path) -> None:
    old = Keystore(folder, ask).tuf("online")
    with cheap_keys(), opened(folder, ask) as repository:
        repository.rotate("online")
        repository.commit()
    stolen = Metadata.from_file(str(meta(folder, "timestamp.json")))
    stolen.signed.version += 1
    stolen.sign(old)
    stolen.to_file(str(meta(folder, "timestamp.json")))
    with opened(folder, ask) as repository:
        assert repository.pending
        with pytest.raises(MetadataRefused, match="timestamp was signed by 0/1 keys"):
            stranger.look(Local(repository), meta(folder, "1.root.json").read_bytes())


def test_one_root_key_may_be_lost_and_two_may_not(folder: Path) -> None:
    (folder / "root-2.key").unlink()
    with cheap_keys(), opened(folder, ask) as repository:
        repository.rotate("root")
        repository.commit()
    assert seen(folder).versions["root"] == 2
    for number in (1, 3):
        (folder / f"root-{number}.key").unlink()
    with opened(folder, ask) as repository:
        with pytest.raises(
            ConfigInvalid, match="2 of root-1, root-2, root-3 must be here, and 1 of them are"
        ):
            repository.rotate("online")
        assert not list(folder.glob("*.next.key"))


def test_a_version_never_changes_and_publishing_it_again_changes_nothing(
    folder: Path, tmp_path: Path
) -> None:
    source = make_bundle(tmp_path / "b")
    publish(folder, source)
    before = meta(folder, "timestamp.json").read_bytes()
    publish(folder, source)
    assert meta(folder, "timestamp.json").read_bytes() == before
    other = make_bundle(tmp_path / "c", license="MIT")
    with pytest.raises(ManifestInvalid, match=r"versions never change. Give it another version"):
        publish(folder, other)


def test_a_revoked_bundle_is_vouched_for_no_longer(folder: Path, tmp_path: Path) -> None:
    publish(folder, make_bundle(tmp_path / "b"), make_bundle(tmp_path / "c", "2.0.0"))
    with opened(folder, ask) as repository:
        repository.remove_bundle("shapes", "1.0.0")
        repository.commit()
        with pytest.raises(ConfigInvalid, match=r"it is not published. Published are: shapes@2.0.0"):
            repository.remove_bundle("shapes", "1.0.0")
    assert seen(folder).bundles.keys() == {"shapes@2.0.0"}


def test_a_file_is_published_in_one_size_of_chunks(folder: Path, tmp_path: Path) -> None:
    files = {"m.tflite": b"x" * 9000, "g.npy": b"y"}
    publish(folder, make_bundle(tmp_path / "b", files=files, chunk=2048))
    other = make_bundle(tmp_path / "c", "2.0.0", files=files, chunk=4096)
    with pytest.raises(ManifestInvalid, match="Pack it with: --chunk 2048"):
        publish(folder, other)
    publish(folder, make_bundle(tmp_path / "d", "2.0.0", files=files, chunk=2048))


def test_metadata_that_devices_would_not_take_is_not_signed(folder: Path, tmp_path: Path) -> None:
    with opened(folder, ask) as repository:
        for number in range(1800):
            repository.add_bundle("n" * 60, f"1.{number}", b"{}", {})
        with pytest.raises(MetadataRefused, match=r"devices take 262144. Revoke models that nobody runs"):
            repository.commit()
    assert seen(folder).versions["models"] == 1


def test_nothing_is_signed_on_a_machine_whose_clock_is_behind(folder: Path) -> None:
    with opened(folder, ask, clock=lambda: 1_000_000_000.0) as repository:
        repository.renew()
        with pytest.raises(AgentError, match=r"its clock is behind what was signed last. Set the clock"):
            repository.commit()


def test_nothing_is_signed_on_a_machine_whose_clock_is_years_ahead(folder: Path) -> None:
    later = max(time.time(), BUILT) + 2.1 * 365 * 86400
    with opened(folder, ask, clock=lambda: later) as repository:
        repository.renew("root")
        with pytest.raises(AgentError, match=r"years ahead of what was signed last. Set the clock; if it is"):
            repository.commit()


def test_what_has_expired_is_said_to_have(folder: Path) -> None:
    with opened(folder, ask, clock=lambda: time.time() + 1.5 * 365 * 86400) as repository:
        assert expiring(repository)[0] == (
            "targets has expired: sign it anew with: edgectl resign --role targets"
        )


def test_what_a_hostile_broker_is_said_to_have_moves_no_cursor() -> None:
    found = {"broker": stranger.Seen(problems=["Expected timestamp, got '\x1b[2J\n'"])}
    assert not any("\x1b" in line or "\n" in line for line in report.lines(found))


def test_two_operators_do_not_work_in_one_folder_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.fleet.repository.tree._WAIT_S", 0.0)
    with opened(folder, ask), pytest.raises(AgentError, match="another edgectl does so already"):
        seen(folder)


def test_a_folder_without_a_repository_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=f"Make one with: edgectl init {tmp_path}"), opened(tmp_path, ask):
        pass


def test_begun_again_nothing_changes(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert begin.begin(folder, ask) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_repository_whose_timestamp_is_gone_is_not_begun_anew(folder: Path, tmp_path: Path) -> None:
    publish(folder, make_bundle(tmp_path / "b"))
    meta(folder, "timestamp.json").unlink()
    with pytest.raises(MetadataRefused, match=r"timestamp.json is missing"):
        begin.begin(folder, ask)


def test_no_file_of_the_repository_shows_a_secret(folder: Path) -> None:
    raw = Keystore(folder, ask)._opened("models").private_bytes_raw()
    with opened(folder, ask) as repository:
        text = repr(repository) + repr(repository.keys) + repr(vars(repository.roles))
    assert PASSPHRASE not in text
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert raw not in content
            assert raw.hex().encode() not in content
            assert PASSPHRASE.encode() not in content


def test_a_blob_that_is_missing_says_so(folder: Path, tmp_path: Path) -> None:
    publish(folder, make_bundle(tmp_path / "b"))
    for path in (folder / "tuf/blob").iterdir():
        if path.read_bytes()[:5] == b"model":
            path.unlink()
    with opened(folder, ask) as repository:
        found = stranger.look(Local(repository), meta(folder, "1.root.json").read_bytes())
    assert "Copy it from a backup" in found.problems[0]
