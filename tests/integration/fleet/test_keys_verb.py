"""edgectl keys: whose word devices take; a colleague works with the folder that was made."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from agent.documents import command as commands
from agent.documents.keys import ControlKeys, decode
from agent.errors import ConfigInvalid
from agent.fleet.keys import make_keys
from agent.fleet.repository.repository import opened
from agent.fleet.repository.roles import KEYS
from agent.trust.signing import Verifier
from tests.simulators.commanded_device import commanded
from tests.simulators.edgectl import Edgectl
from tests.simulators.operating import ask

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
THEIRS = "another eight words"


def named(folder: Path) -> ControlKeys:
    with opened(folder, ask) as repository:
        document = repository.document(KEYS)
        assert document
        return decode(document)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{THEIRS}\n")
    return path


def test_a_colleague_may_do_what_the_scopes_say_until_the_key_is_removed(
    broker: Broker, edgectl: Edgectl, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_keys(edgectl.folder, ["gate-1"])
    words: list[str | Path] = [
        "--scope",
        "command.ping",
        "--scope",
        "command.status",
        "--their-passphrase-file",
        secret,
    ]
    made = edgectl("keys add", "mary", *words)
    theirs = edgectl.folder / "colleagues/mary"
    assert made["folder"] == str(theirs)
    assert sorted(path.relative_to(theirs).as_posix() for path in theirs.rglob("*.*")) == [
        "control.key", "devices/gate-1.pub",
    ]  # fmt: skip
    listed = edgectl.local("keys list")["keys"]
    assert [(one["name"], one["scopes"]) for one in listed] == [
        ("control", ["desired", "command"]), ("mary", ["command.ping", "command.status"]),
    ]  # fmt: skip
    theirs = theirs.rename(tmp_path / "theirs")
    monkeypatch.setenv("EDGECTL_PASSPHRASE", THEIRS)
    with commanded(broker.port, edgectl.folder, "gate-1") as (device,):
        mary = Edgectl(theirs, broker.port)
        assert mary("command", "gate-1", "ping", "--fleet", "demo")["done"] == 1
    monkeypatch.setenv("EDGECTL_PASSPHRASE", ask())
    keys = named(edgectl.folder)
    verifiers = [Verifier.from_pem(one.pem.encode()) for one in keys.keys]
    _, key = commands.decode(device.heard[0][1], verifiers, fleet="demo", audiences=["d/gate-1"])
    assert (keys.may(key, "ping"), keys.may(key, "reboot")) == (True, False)
    assert edgectl("keys remove", key)["id"] == key
    assert len(named(edgectl.folder).keys) == 1


def test_scopes_are_changed_for_a_colleague_whose_folder_is_there_and_it_goes_with_the_key(
    edgectl: Edgectl, secret: Path
) -> None:
    for scope in ("command.ping", "command"):
        edgectl("keys add", "mary", "--scope", scope, "--their-passphrase-file", secret)
        assert [one.scopes for one in named(edgectl.folder).keys][1:] == [(scope,)]
    edgectl("keys remove", "mary")
    assert not (edgectl.folder / "colleagues/mary").exists()


def test_a_key_that_was_given_away_keeps_its_name_and_no_second_one_is_made(
    edgectl: Edgectl, secret: Path
) -> None:
    add = ("keys add", "mary", "--local", "--their-passphrase-file", secret, "--scope")
    edgectl.local(*add, "command.ping")
    before = named(edgectl.folder).keys[1].pem
    shutil.rmtree(edgectl.folder / "colleagues/mary")
    edgectl.local(*add, "command")
    assert [(one.pem, one.scopes) for one in named(edgectl.folder).keys[1:]] == [(before, ("command",))]
    assert [one["name"] for one in edgectl.local("keys list")["keys"]] == ["control", "mary"]
    edgectl.local("keys remove", "mary", "--local")
    assert len(named(edgectl.folder).keys) == 1
    assert not list((edgectl.folder / "colleagues").iterdir())
    edgectl.local(*add, "command")
    assert named(edgectl.folder).keys[1].pem != before


def test_what_cannot_be_a_key_is_told(edgectl: Edgectl, secret: Path) -> None:
    theirs = ("--their-passphrase-file", secret)
    for name, scope, said in (
        ("Mary", "command", "a key cannot be called so"),
        ("control", "command", "a key cannot be called so"),
        ("mary", "command.shell", "there is no command shell. There are: "),
        ("mary", "all", "Scopes are: desired, command, command.OP"),
    ):
        with pytest.raises(ConfigInvalid, match=said):
            edgectl.local("keys add", name, "--scope", scope, "--local", *theirs)
    with pytest.raises(ConfigInvalid, match="Give --their-passphrase-file FILE"):
        edgectl.local("keys add", "mary2", "--scope", "command", "--local")
    with pytest.raises(ConfigInvalid, match="it is the operator's own"):
        edgectl.local("keys remove", "control", "--local")
    with pytest.raises(ConfigInvalid, match="no such key is named"):
        edgectl.local("keys remove", "paul", "--local")
