"""The operator's signing keys at rest: encrypted, for their owner alone, and never shown."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigInvalid
from agent.fleet.repository import keystore, pkcs8
from agent.fleet.repository.keystore import Keystore, passphrase, signer

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "eight words that nobody guesses"  # noqa: S105 - of these tests


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "_N", 2)


def store(folder: Path, secret: str = SECRET) -> Keystore:
    return Keystore(folder, lambda: secret)


def test_a_key_is_what_openssl_reads_with_the_passphrase_and_with_no_other(tmp_path: Path) -> None:
    store(tmp_path).make(["online"])
    path = tmp_path / "online.key"
    for secret, code in ((SECRET, 0), ("another", 1)):
        command = ["openssl", "pkey", "-in", str(path), "-passin", "env:P", "-noout"]
        done = subprocess.run(command, env={**os.environ, "P": secret}, capture_output=True, check=False)
        assert (done.returncode != 0) == code
    pem = path.read_text().partition("\n")[2]
    shape = subprocess.run(["openssl", "asn1parse"], input=pem, capture_output=True, text=True, check=True)
    assert [word in shape.stdout for word in ("scrypt", ":4000", ":08", ":05", "aes-256-cbc")] == [True] * 5


@given(secret=st.text(min_size=1).filter(lambda s: s.isprintable()), size=st.sampled_from(["a", "b"]))
def test_what_is_sealed_is_opened_again(secret: str, size: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pkcs8, "_N", 2)
        key = Ed25519PrivateKey.generate()
        sealer = pkcs8.Sealer(secret)
        one, other = sealer.seal(key), sealer.seal(key)
    assert one != other
    for pem in (one, other):
        assert pkcs8.unseal(pem, secret).private_bytes_raw() == key.private_bytes_raw()
        with pytest.raises(ValueError, match="the passphrase does not open it"):
            pkcs8.unseal(pem, secret + size)


@pytest.mark.usefixtures("quick")
def test_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "plant"
    made = store(folder).make(keystore.NAMES)
    assert sorted(path.stem for path in made) == sorted(keystore.NAMES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {path: path.read_bytes() for path in made}
    assert store(folder).make(keystore.NAMES) == []
    assert {path: path.read_bytes() for path in made} == before
    assert len(set(before.values())) == len(made)


@pytest.mark.usefixtures("quick")
def test_what_a_key_signs_its_public_half_proves_and_that_is_read_without_the_passphrase(
    tmp_path: Path,
) -> None:
    store(tmp_path).make(["models", "control"])

    def ask() -> str:
        raise AssertionError("nobody needs it")

    public = Keystore(tmp_path, ask).public("models")
    tuf = store(tmp_path).tuf("models")
    public.verify_signature(tuf.sign(b"text"), b"text")
    control = signer(tmp_path, "control", SECRET)
    assert control.key_id == store(tmp_path).control().key_id


@pytest.mark.usefixtures("quick")
def test_the_passphrase_is_asked_for_once(tmp_path: Path) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        return SECRET

    Keystore(tmp_path, ask).make(["models", "online"])
    opened = Keystore(tmp_path, ask)
    opened.tuf("models")
    opened.tuf("online")
    assert len(asked) == 2


@pytest.mark.usefixtures("quick")
def test_a_wrong_passphrase_is_one_line_that_holds_nothing_secret(tmp_path: Path) -> None:
    store(tmp_path).make(["models"])
    wrong = store(tmp_path, "this is wrong")
    with pytest.raises(ConfigInvalid) as caught:
        wrong.tuf("models")
    told = f"{caught.value}{caught.value!r}{wrong!r}"
    assert "the passphrase does not open it. Check the passphrase" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "this is wrong" not in told
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("quick")
def test_a_key_that_is_open_missing_or_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.make(["models", "fleet"])
    path, other = keys.path("models"), keys.path("fleet")
    for name in ("root-1", "online"):
        with pytest.raises(ConfigInvalid, match=rf"not here. Put {name}.key there"):
            keys.tuf(name)
    path.chmod(0o644)
    with pytest.raises(ConfigInvalid, match=r"others may read this private key. Run: chmod 600"):
        store(tmp_path).tuf("models")
    path.chmod(0o600)
    ours = path.read_bytes()
    path.write_bytes(ours.partition(b"\n")[2])
    with pytest.raises(ConfigInvalid, match="its first line names no public key"):
        store(tmp_path).public("models")
    path.write_bytes(other.read_bytes().partition(b"\n")[0] + b"\n" + ours.partition(b"\n")[2])
    with pytest.raises(ConfigInvalid, match="its first line names another key"):
        store(tmp_path).tuf("models")


@pytest.mark.usefixtures("quick")
def test_a_key_that_is_not_encrypted_is_refused(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.make(["models"])
    first = keys.path("models").read_bytes().partition(b"\n")[0]
    from agent.trust.signing import generate

    keys.path("models").write_bytes(first + b"\n" + generate()[0])
    with pytest.raises(ConfigInvalid, match="it is not encrypted"):
        store(tmp_path).tuf("models")


def test_the_passphrase_comes_from_the_file_then_the_environment_then_the_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGECTL_PASSPHRASE", raising=False)
    (tmp_path / "edgectl-passphrase").write_text("from systemd\n")
    (tmp_path / "file").write_text("from the file\r\nsecond line\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert passphrase() == "from systemd"
    monkeypatch.setenv("EDGECTL_PASSPHRASE", "from the environment")
    assert passphrase() == "from the environment"
    assert passphrase(tmp_path / "file") == "from the file"


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "it is empty"), (b"short", "shorter than 8"), (b"\xff" * 9, "no text"), (b"x" * 2000, "longer")],
)
def test_a_passphrase_that_will_not_do_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigInvalid, match=problem):
        passphrase(tmp_path / "file", new=True)
    with pytest.raises(ConfigInvalid, match="No such file"):
        passphrase(tmp_path / "missing")


def test_a_passphrase_that_is_no_utf_8_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECTL_PASSPHRASE", os.fsdecode(b"secret words \xff"))
    with pytest.raises(ConfigInvalid, match="no UTF-8") as caught:
        passphrase()
    assert (caught.value.__cause__, "secret" in str(caught.value)) == (None, False)


def test_without_a_terminal_and_without_a_source_it_says_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EDGECTL_PASSPHRASE", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ConfigInvalid, match=r"Set \$EDGECTL_PASSPHRASE, or give --passphrase-file FILE"):
        passphrase()
