"""Taking devices into the fleet and out of it: once, again, half done, and under every name."""

from __future__ import annotations

import base64
import re
import stat
import tarfile
import tomllib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.identity import authority, begin, certificates, expiry, place, renewal, revocation
from agent.fleet.identity.acl import access_list
from agent.fleet.identity.begin import rewrite
from agent.fleet.identity.place import Site
from agent.fleet.inventory import Entry
from agent.fleet.keys import Keyring
from agent.link.topics import is_name
from agent.trust import certificates as own
from tests.simulators.enrolled import enrol, fleet
from tests.simulators.operating import PASSPHRASE, ask

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fleet(tmp_path / "keys")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def nobody() -> str:
    raise AssertionError("nobody is asked for the passphrase")


def test_a_bundle_has_all_that_a_device_needs_and_shows_no_key_to_others(folder: Path) -> None:
    [one] = enrol(folder, "gate-1", groups=("yard", "gates"))
    assert one.place == folder / "enrolled/gate-1"
    names = {path.name for path in one.place.iterdir()}
    assert names == {
        *("README", "agent.toml", "ca.pem", "collector.pub", "device.key"),
        *("mqtt.key", "mqtt.pem", "root.json", "user-data"),
    }
    secret = {path.name for path in one.place.iterdir() if b"PRIVATE" in path.read_bytes()}
    assert secret == {"device.key", "mqtt.key"}
    for name in (*secret, "user-data"):
        assert stat.S_IMODE((one.place / name).stat().st_mode) == 0o600
    assert (one.place / "device.key").read_bytes() == (folder / "devices/gate-1.key").read_bytes()
    config = tomllib.loads((one.place / "agent.toml").read_text())
    assert config["device"] == {"id": "gate-1", "groups": ["gates", "yard"]}
    assert config["mqtt"]["host"] == "localhost"
    certificate = (one.place / "mqtt.pem").read_bytes()
    facts = own.check(certificate, "gate-1", (folder / "ca.pem").read_bytes(), 0)
    assert facts.serial == one.serial == inventory.find(folder, "gate-1").serial


def test_user_data_holds_the_same_files_for_the_service(folder: Path) -> None:
    [one] = enrol(folder, "gate-1")
    assert one.place
    text = (one.place / "user-data").read_text()
    assert text.startswith("#cloud-config\n")
    found = re.findall(r'- path: (\S+)\n +permissions: "(\d+)".*?content: (\S+)', text, re.DOTALL)
    written = {path: (mode, base64.b64decode(content)) for path, mode, content in found}
    for name in ("device-key", "mqtt-key", "mqtt-certificate", "mqtt-ca", "collector-key", "tuf-root"):
        assert written[f"/etc/credstore/edge-agent.{name}"][0] == "0600"
    assert written["/etc/credstore/edge-agent.mqtt-key"][1] == (one.place / "mqtt.key").read_bytes()
    mode, config = written["/etc/edge-agent/agent.toml"]
    assert (mode, config) == ("0644", (one.place / "agent.toml").read_bytes())  # read by a user of its own


def test_enrolling_again_changes_groups_and_nothing_else_and_asks_for_nothing(folder: Path) -> None:
    enrol(folder, "gate-1", groups=("yard",))
    before = contents(folder)
    from agent.fleet.identity.enrolment import Options, enroll

    [one] = enroll(Options(folder, ("gate-1",), folder / "enrolled"), nobody)
    assert (one.place, one.groups) == (None, ("yard",))
    assert contents(folder) == before
    enroll(Options(folder, ("gate-1",), folder / "enrolled", groups=("gates",)), nobody)
    changed = {name for name, content in contents(folder).items() if before.get(name) != content}
    assert changed == {"devices/gate-1.json", "broker/acl"}


def test_again_makes_a_new_certificate_and_both_are_known(folder: Path) -> None:
    [first] = enrol(folder, "gate-1")
    signing = (folder / "devices/gate-1.key").read_bytes()
    [second] = enrol(folder, "gate-1", again=True)
    known = [certificates.serial(one) for one in authority.issued(folder, "gate-1")]
    assert known == [second.serial, first.serial]
    assert (folder / "devices/gate-1.key").read_bytes() == signing


def test_a_device_whose_signing_key_has_left_gets_a_bundle_without_it(folder: Path) -> None:
    enrol(folder, "gate-1")
    (folder / "devices/gate-1.key").unlink()
    [one] = enrol(folder, "gate-1", again=True, archive=True)
    assert not one.whole
    assert one.place
    with tarfile.open(one.place) as archive:
        assert "gate-1/device.key" not in archive.getnames()
        assert archive.getmember("gate-1/mqtt.key").mode == 0o600
    assert stat.S_IMODE(one.place.stat().st_mode) == 0o600


def test_a_request_is_signed_and_the_key_stays_where_it_was_made(folder: Path) -> None:
    key = own.new_key()
    [one] = enrol(folder, "gate-1", request=own.request(key, "gate-1").encode())
    assert one.place
    assert not (one.place / "mqtt.key").exists()
    assert own.belongs((one.place / "mqtt.pem").read_bytes(), key)


def forged() -> bytes:
    """Give a request whose signature has one bit changed."""
    der = bytearray(
        x509.load_pem_x509_csr(own.request(own.new_key(), "gate-1").encode()).public_bytes(Encoding.DER)
    )
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)


def large() -> bytes:
    """Give a request of another kind of key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gate-1")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name)
    return made.sign(ec.generate_private_key(ec.SECP384R1()), SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (b"", "no request in PEM"),
        (b"x" * 20_000, "longer than 16 KiB"),
        (forged(), "its signature is wrong"),
        (large(), "its key is not P-256"),
        (own.request(own.new_key(), "gate-2").encode(), "for 'gate-2', not for 'gate-1'"),
        (own.request(own.new_key(), "fleet.operator").encode(), "not for 'gate-1'"),
    ],
)
def test_a_request_that_is_not_the_devices_is_refused(folder: Path, request_: bytes, problem: str) -> None:
    before = contents(folder)
    with pytest.raises(ConfigInvalid, match=problem):
        enrol(folder, "gate-1", request=request_)
    assert contents(folder) == before


def test_a_device_that_is_out_is_believed_no_more_and_can_be_replaced(folder: Path) -> None:
    enrol(folder, "gate-1")
    enrol(folder, "gate-1", again=True)
    assert (folder / "public/gate-1.pub").read_bytes() == (folder / "devices/gate-1.pub").read_bytes()
    serials = {int(certificates.serial(one), 16) for one in authority.issued(folder, "gate-1")}
    revocation.disenroll(folder, ["gate-1"], ask)
    revocation.disenroll(folder, ["gate-1"], ask)
    assert {one.serial_number for one in listed(folder)} == serials
    assert Keyring(folder).verifier("gate-1") is None
    assert inventory.find(folder, "gate-1").revoked
    assert "user gate-1\ntopic deny #" in (folder / "broker/acl").read_text()
    assert not (folder / "devices/gate-1.key").exists()
    assert list((folder / "public").iterdir()) == []
    [anew] = enrol(folder, "gate-1")
    assert anew.place
    assert int(anew.serial, 16) not in {one.serial_number for one in listed(folder)}
    assert Keyring(folder).verifier("gate-1") is not None
    assert "deny" not in (folder / "broker/acl").read_text()


def listed(folder: Path) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((folder / "broker/crl.pem").read_bytes())


def test_nobody_can_be_disenrolled_who_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigInvalid, match="there is none of this name"):
        revocation.disenroll(folder, ["gate-9"], ask)


def test_a_device_whose_public_key_was_taken_away_is_not_enrolled(folder: Path) -> None:
    enrol(folder, "gate-1")
    (folder / "devices/gate-1.pub").unlink()
    with pytest.raises(ConfigInvalid, match=r"its \.pub is not"):
        enrol(folder, "gate-1", again=True)


def test_an_old_folder_gets_what_is_missing_and_keeps_what_it_has(tmp_path: Path) -> None:
    folder = fleet(tmp_path / "keys", broker="")
    assert (folder / "ca.pem").exists()
    assert not (folder / "broker").exists()
    with pytest.raises(ConfigInvalid, match="Name the broker"):
        enrol(folder, "gate-1")
    before = contents(folder)
    fleet(folder)
    after = contents(folder)
    assert after.items() >= before.items()
    assert {name for name in after if name.startswith("broker/")} == {
        f"broker/{name}"
        for name in ("acl", "ca.pem", "crl.pem", "fleet.json", "mosquitto.conf", "server.key", "server.pem")
    }
    fleet(folder)
    assert contents(folder) == after
    assert begin.begin(folder, nobody, "north", place.read_site(folder)) == []


def test_other_names_of_the_broker_get_it_a_new_certificate(folder: Path) -> None:
    before = (folder / "broker/server.pem").read_bytes()
    fleet(folder, broker="broker.example,192.0.2.7")
    found = x509.load_pem_x509_certificate((folder / "broker/server.pem").read_bytes())
    assert found != x509.load_pem_x509_certificate(before)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == ["broker.example", "192.0.2.7"]


def test_the_authoritys_key_opens_with_the_passphrase_of_the_others_and_no_other(folder: Path) -> None:
    authority.opened(folder, PASSPHRASE)
    assert "key" not in repr(authority.opened(folder, PASSPHRASE))
    with pytest.raises(ConfigInvalid, match="the passphrase does not open it"):
        authority.opened(folder, "another one")
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a b", "x,;y", "-x", "a..b", "x\ny", "fe80::1%eth0"])
def test_a_broker_that_cannot_be_called_so_is_refused(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="no host can be called so"):
        place.hosts(name)


NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)


@settings(max_examples=40)
@given(
    name=st.one_of(NAMES, st.text(max_size=70)),
    groups=st.lists(NAMES, max_size=4),
    revoked=st.booleans(),
)
def test_whatever_a_device_is_called_the_list_gives_it_its_own_and_nothing_else(
    name: str, groups: list[str], revoked: bool
) -> None:
    if not is_name(name):
        with pytest.raises(ValueError, match="name"):
            Entry(name=name)
        return
    text = access_list(
        Site(fleet="north", names=("b",)), [Entry(name=name, groups=tuple(groups), revoked=revoked)]
    )
    own_lines = text.partition(f"\nuser {name}\n")[2].splitlines()
    if revoked:
        assert own_lines == ["topic deny #"]
    else:
        assert own_lines == [f"topic read edge/v1/north/g/{group}/cmd" for group in groups]
    assert not any(is_name(who) for who in (place.OPERATOR, place.COLLECTOR, place.HOME))
    assert len(text.split("\nuser ")) == 4 - (not own_lines)


def test_the_list_lets_devices_write_home_assistants_topics_only_where_that_is_asked(tmp_path: Path) -> None:
    folder = fleet(tmp_path / "keys")
    assert "homeassistant" not in (folder / "broker/acl").read_text()
    fleet(folder, home_assistant="homeassistant")
    assert "pattern write homeassistant/device/%u/config\n" in (folder / "broker/acl").read_text()
    assert (folder / "clients/home-assistant.pem").exists()
    rewrite(folder)
    assert "pattern write homeassistant" in (folder / "broker/acl").read_text()


def test_certificates_that_end_soon_are_told_with_what_to_do(folder: Path) -> None:
    assert expiry.warnings(folder) == []
    enrol(folder, "gate-1", "gate-2", days=80)
    enrol(folder, "gate-3")
    [line] = expiry.warnings(folder)
    assert line.startswith("certificates of gate-1, gate-2 end within 90 days: edgectl renew")
    told = expiry.warnings(folder, days=4000)
    assert any("server.pem ends in 36" in line and "edgectl init" in line for line in told)
    assert any("operator.pem" in line for line in told)
    assert renewal.chosen(folder, [], [], everyone=True, expiring=90) == ["gate-1", "gate-2"]
    revocation.disenroll(folder, ["gate-1"], ask)
    assert renewal.chosen(folder, [], [], everyone=True, expiring=90) == ["gate-2"]
