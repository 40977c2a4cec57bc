"""The operator's keys: made once, never written over, found when they come later."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConfigInvalid
from agent.events import Event, counters
from agent.fleet import init
from agent.fleet import keys as module
from agent.fleet.keys import Keyring, make_keys
from agent.fleet.repository.keystore import Keystore
from agent.trust.signing import Signer, Verifier, generate

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


@pytest.mark.parametrize("stem", ["collector", "devices/gate"])
def test_a_private_key_that_has_left_for_where_it_is_used_is_not_made_anew(tmp_path: Path, stem: str) -> None:
    make_keys(tmp_path, ["gate"])
    public = (tmp_path / f"{stem}.pub").read_bytes()
    (tmp_path / f"{stem}.key").unlink()
    assert make_keys(tmp_path, ["gate"]) == []
    assert (tmp_path / f"{stem}.pub").read_bytes() == public
    assert not (tmp_path / f"{stem}.key").exists()


def test_a_device_whose_public_key_was_taken_away_is_not_trusted_again_by_itself(tmp_path: Path) -> None:
    make_keys(tmp_path, ["gate"])
    before = contents(tmp_path)
    (tmp_path / "devices/gate.pub").unlink()
    with pytest.raises(ConfigInvalid, match=r"its \.pub is not\. If it was stolen, delete that \.key, too"):
        make_keys(tmp_path, ["door", "gate"])
    assert not list((tmp_path / "devices").glob("*.pub"))
    assert make_keys(tmp_path, ["gate"], from_key=True) == [tmp_path / "devices/gate.pub"]
    assert contents(tmp_path) == before
    for name in ("gate.pub", "gate.key"):
        (tmp_path / "devices" / name).unlink()
    make_keys(tmp_path, ["gate"])
    assert (tmp_path / "devices/gate.pub").read_bytes() != before["devices/gate.pub"]


def test_the_collectors_public_key_is_made_from_its_private_one(tmp_path: Path) -> None:
    make_keys(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "collector.pub").unlink()
    assert make_keys(tmp_path) == [tmp_path / "collector.pub"]
    assert contents(tmp_path) == before


def test_a_collector_elsewhere_needs_no_private_key_of_a_device(tmp_path: Path) -> None:
    keys, there = tmp_path / "keys", tmp_path / "there"
    make_keys(keys, ["door", "gate"])
    there.mkdir()
    shutil.copy(keys / "collector.key", there)
    shutil.copytree(keys / "public", there / "devices")
    assert sorted(contents(there)) == ["collector.key", "devices/door.pub", "devices/gate.pub"]
    found, known = Keyring(there).verifier("gate"), Keyring(keys).verifier("gate")
    assert found is not None
    assert known is not None
    assert found.key_id == known.key_id


def test_the_folder_of_public_keys_has_those_that_count_and_nothing_else(tmp_path: Path) -> None:
    make_keys(tmp_path, ["door", "gate"])
    shutil.rmtree(tmp_path / "public")  # as an older release left it
    make_keys(tmp_path)
    (tmp_path / "public/gate.pub").write_text("damaged")
    (tmp_path / "public/.gate.pub.new").write_text("of a kill")
    for ending in ("pub", "key"):  # it was stolen
        (tmp_path / f"devices/door.{ending}").unlink()
    make_keys(tmp_path)
    gate = (tmp_path / "devices/gate.pub").read_bytes()
    assert contents(tmp_path / "public") == {"gate.pub": gate}


def whole(folder: Path) -> None:
    """Every pair fits together, and nothing else is there."""
    for private in (folder / "collector.key", *(folder / "devices").glob("*.key")):
        signed = Signer.from_pem(private.read_bytes()).sign("x", b"y")
        Verifier.from_pem(private.with_suffix(".pub").read_bytes()).verify("x", b"y", signed)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".key", ".pub"}


MAKE = "import sys, pathlib; from agent.fleet.keys import make_keys; print(flush=True)\n"
MAKE += "make_keys(pathlib.Path(sys.argv[1]), [f'd{n}' for n in range(300)], from_key=True)"


def started(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that makes keys; give it when it begins."""
    made = subprocess.Popen([sys.executable, "-c", MAKE, str(folder)], stdout=subprocess.PIPE)
    assert made.stdout is not None
    made.stdout.readline()
    return made


def test_a_kill_at_any_moment_leaves_no_key_half_made(tmp_path: Path) -> None:
    for wait_ms in (0, 3, 10, 30, 60):
        with started(tmp_path) as made:
            time.sleep(wait_ms / 1000)
            made.kill()
        kept = {name: key for name, key in contents(tmp_path).items() if name.endswith(".key")}
        make_keys(tmp_path, ["d0"], from_key=True)
        assert contents(tmp_path).items() >= kept.items()
    assert not (tmp_path / "devices/d299.key").exists(), "the kills came too late to show anything"
    make_keys(tmp_path, [f"d{number}" for number in range(300)], from_key=True)
    whole(tmp_path)


def test_two_who_make_keys_at_once_do_not_write_over_each_other(tmp_path: Path) -> None:
    with started(tmp_path) as one, started(tmp_path) as other:
        assert (one.wait(20), other.wait(20)) == (0, 0)
    whole(tmp_path)


def test_a_name_that_could_leave_the_folder_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="a device cannot be called so"):
        make_keys(tmp_path, ["../x"])
    make_keys(tmp_path, [])
    assert Keyring(tmp_path).verifier("../collector") is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_a_device_that_is_added_later_is_found(tmp_path: Path, clock: SimpleNamespace) -> None:
    make_keys(tmp_path)
    ring = Keyring(tmp_path)
    assert ring.verifier("gate") is None
    make_keys(tmp_path, ["gate"])
    clock.now += 9
    assert ring.verifier("gate") is None  # believed for a while
    clock.now += 2
    assert ring.verifier("gate") is ring.verifier("gate") is not None


def test_a_key_that_is_taken_away_or_replaced_counts_no_longer(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    make_keys(tmp_path, ["gate"])
    ring = Keyring(tmp_path)
    before = ring.verifier("gate")
    (tmp_path / "devices/gate.pub").write_bytes(generate()[1])
    assert ring.verifier("gate") is before is not None
    clock.now += 61
    after = ring.verifier("gate")
    assert after is not None
    assert after.key_id != before.key_id
    (tmp_path / "devices/gate.pub").unlink()
    clock.now += 61
    assert ring.verifier("gate") is None


def test_a_key_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    make_keys(tmp_path, ["gate"])
    (tmp_path / "devices/gate.pub").write_text("no key")
    before = counters[Event.KEY_REFUSED.value]
    assert Keyring(tmp_path).verifier("gate") is None
    assert counters[Event.KEY_REFUSED.value] == before + 1


def test_names_from_outside_cannot_fill_the_memory(tmp_path: Path) -> None:
    make_keys(tmp_path, ["gate"])
    ring = Keyring(tmp_path)
    for number in range(12_000):
        ring.verifier(f"d{number}")
    assert len(ring._known) <= 10_000
    assert ring.verifier("gate") is not None


def test_without_the_collectors_key_there_is_no_keyring(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="Check the path"):
        Keyring(tmp_path)


def test_init_tells_what_goes_where_and_shows_no_private_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init.run(tmp_path, ["gate-1"], "north", from_key=False, as_json=False)
    told = capsys.readouterr().out
    for word in (
        "--fleet north",
        'fleet = "north"',
        "gate-1.key",
        "/etc/credstore/edge-agent.device-key",
        'id = "gate-1"',
        "collector.pub",
    ):
        assert word in told
    (tmp_path / "devices/gate-1.key").unlink()
    init.run(tmp_path, ["gate-1"], "north", from_key=False, as_json=False)
    assert "it is not in" in (again := capsys.readouterr().out)
    secret = (tmp_path / "collector.key").read_text().splitlines()[1]
    assert secret not in told + again
    (tmp_path / "collector.key").unlink()
    init.run(tmp_path, ["gate-1"], "north", from_key=False, as_json=False)
    assert "collector.key is not in" in capsys.readouterr().out
    with pytest.raises(ConfigInvalid, match="a fleet cannot be called so"):
        init.run(tmp_path, [], "a/b", from_key=False, as_json=False)


def test_who_makes_keys_leaves_alone_what_others_are_writing_there(tmp_path: Path) -> None:
    make_keys(tmp_path, ["gate"])
    others = [tmp_path / ".models.next.key.new", tmp_path / "devices/.gate.desired.json.new"]
    own = [tmp_path / ".collector.pub.new", tmp_path / "devices/.gate.key.new"]
    for path in (*others, *own):
        path.write_text("half")
    make_keys(tmp_path, ["door"])
    assert [path.exists() for path in (*others, *own)] == [True, True, False, False]
    Keystore(tmp_path, str).sweep()
    assert [path.exists() for path in others] == [False, True]
