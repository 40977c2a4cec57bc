"""The operator's keys: made once, never written over, found when they come later."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConfigInvalid
from agent.fleet import keys as module
from agent.fleet.keys import Keyring, make_keys
from agent.signing import Signer, Verifier

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = make_keys(folder, ["gate-1"])
    assert sorted(path.name for path in made) == [
        "collector.key",
        "collector.pub",
        "gate-1.key",
        "gate-1.pub",
    ]
    for path in made:
        open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
        assert (open_to_others == 0) == (path.suffix == ".key")
    before = contents(folder)
    assert make_keys(folder, ["gate-1"]) == []
    assert [path.name for path in make_keys(folder, ["gate-1", "gate-2"])] == ["gate-2.key", "gate-2.pub"]
    assert contents(folder).items() >= before.items()


def test_a_device_whose_private_key_has_left_keeps_its_identity(tmp_path: Path) -> None:
    make_keys(tmp_path, ["gate"])
    public = (tmp_path / "devices/gate.pub").read_bytes()
    (tmp_path / "devices/gate.key").unlink()
    assert make_keys(tmp_path, ["gate"]) == []
    assert (tmp_path / "devices/gate.pub").read_bytes() == public


def test_what_a_kill_left_half_made_is_made_again(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "collector.key").unlink()  # the public half was written first
    make_keys(tmp_path)
    private, public = ((tmp_path / f"collector.{kind}").read_bytes() for kind in ("key", "pub"))
    signed = Signer.from_pem(private).sign("x", b"y")
    Verifier.from_pem(public).verify("x", b"y", signed)


def test_a_name_that_could_leave_the_folder_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="a device cannot be called so"):
        make_keys(tmp_path, ["../x"])
    make_keys(tmp_path, [])
    assert Keyring(tmp_path).verifier("../collector") is None


def test_a_device_that_is_added_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(tmp_path)
    ring = Keyring(tmp_path)
    assert ring.verifier("gate") is None
    make_keys(tmp_path, ["gate"])
    assert ring.verifier("gate") is None  # believed for a while
    monkeypatch.setattr(module, "_ABSENT_S", 0.0)
    ring = Keyring(tmp_path)
    assert ring.verifier("stranger") is None
    assert ring.verifier("gate") is ring.verifier("gate") is not None


def test_names_from_outside_cannot_fill_the_memory(tmp_path: Path) -> None:
    make_keys(tmp_path)
    ring = Keyring(tmp_path)
    for number in range(12_000):
        ring.verifier(f"d{number}")
    assert len(ring._absent) <= 10_000


def test_without_the_collectors_key_there_is_no_keyring(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="Check the path"):
        Keyring(tmp_path)
