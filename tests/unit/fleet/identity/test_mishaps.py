"""Identity beside wrong clocks, wrong words, a thief, and a colleague who does the same at once."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from cryptography import x509

from agent.documents.outcome import Outcome, State
from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.commanding.gathering import Result
from agent.fleet.identity import authority, certificates, enrolment, renewal, revocation
from agent.trust import certificates as devices
from agent.trust.signing import Signer
from tests.simulators.certified_place import ISSUER
from tests.simulators.enrolled import enrol, fleet
from tests.simulators.operating import PASSPHRASE, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet(tmp_path_factory.mktemp("made") / "keys")


@pytest.fixture
def folder(tmp_path: Path, made: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "keys"))


class Commander:
    """Devices that do what they are told; ``asked`` is called when they have made their request."""

    def __init__(self, asked: Callable[[], object] = lambda: None, *, stays: bool = False) -> None:
        self._asked, self._stays = asked, stays
        self.installed: list[str] = []

    def run(self, op: str, args: dict[str, Any], *, devices: list[str], **_: Any) -> list[Result]:
        [name] = devices
        result: dict[str, str] = {}
        state: State = "done"
        if args["step"] == "request":
            result = {"csr": request(name)}
            self._asked()
        else:
            self.installed.append(args["certificate"])
            state = "failed" if self._stays else "done"
        done = Outcome(fleet="north", device=name, id="12345678", op=op, state=state, at=1, result=result)
        return [Result(name, done)]


def request(name: str) -> str:
    return devices.request(devices.new_key(), name)


def listed(folder: Path) -> set[int]:
    return {one.serial_number for one in x509.load_pem_x509_crl((folder / "broker/crl.pem").read_bytes())}


@contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def clock_at(moment: dt.datetime) -> Any:
    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return moment.astimezone(tz)

    fake = SimpleNamespace(datetime=Clock, timedelta=dt.timedelta, UTC=dt.UTC)
    return mock.patch.object(certificates, "dt", fake)


def renew(folder: Path, commander: Any, **more: Any) -> renewal.Renewed:
    [one] = renewal.renew(folder, ["gate-1"], commander, authority.opened(folder, PASSPHRASE), **more)
    return one


def test_a_renewal_may_revoke_what_a_thief_has_and_else_leaves_it_valid(folder: Path) -> None:
    [first] = enrol(folder, "gate-1")
    renew(folder, Commander())
    assert listed(folder) == set()
    last = renew(folder, Commander(), revoke=True)
    known = [one.serial_number for one in authority.issued(folder, "gate-1")]
    assert (known[0], known[-1]) == (int(last.serial, 16), int(first.serial, 16))
    assert listed(folder) == set(known[1:])


def test_a_device_that_stays_with_what_it_has_is_renewed_again_and_what_it_was_sent_can_be_revoked(
    folder: Path,
) -> None:
    [first] = enrol(folder, "gate-1", days=80)
    commander = Commander(stays=True)
    assert renew(folder, commander).problem.startswith("failed")
    assert renewal.chosen(folder, [], [], everyone=True, expiring=90) == ["gate-1"]
    assert inventory.find(folder, "gate-1").serial == first.serial
    sent = x509.load_pem_x509_certificate(commander.installed[0].encode())
    assert sent.serial_number in {one.serial_number for one in authority.issued(folder, "gate-1")}
    assert not renew(folder, Commander()).problem
    assert renewal.chosen(folder, [], [], everyone=True, expiring=90) == []


def test_a_device_that_was_disenrolled_meanwhile_gets_no_certificate(folder: Path) -> None:
    enrol(folder, "gate-1")
    commander = Commander(lambda: revocation.disenroll(folder, ["gate-1"], ask))
    assert renew(folder, commander).problem == "it was disenrolled meanwhile"
    assert commander.installed == []
    known = {one.serial_number for one in authority.issued(folder, "gate-1")}
    assert listed(folder) == known
    assert inventory.find(folder, "gate-1").revoked


def test_a_list_of_revocations_that_was_lost_has_those_who_are_out(folder: Path) -> None:
    enrol(folder, "gate-1", "gate-2")
    revocation.disenroll(folder, ["gate-1"], ask)
    before = listed(folder)
    (folder / "broker/crl.pem").unlink()
    fleet(folder)
    assert listed(folder) == before != set()


def test_a_list_of_revocations_from_a_clock_that_is_ahead_is_valid_at_once(folder: Path) -> None:
    enrol(folder, "gate-1")
    with clock_at(dt.datetime.now(dt.UTC) + dt.timedelta(days=400)):
        revocation.disenroll(folder, ["gate-1"], ask)
    found = x509.load_pem_x509_crl((folder / "broker/crl.pem").read_bytes())
    since = found.last_update_utc if hasattr(found, "last_update_utc") else found.last_update
    assert since.replace(tzinfo=dt.UTC) < dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    "file", ["ca.pem", "broker/server.pem", "clients/operator.pem", "devices/gate-1.pem"]
)
def test_certificates_hold_for_a_device_whose_clock_is_years_behind(folder: Path, file: str) -> None:
    enrol(folder, "gate-1")
    found = x509.load_pem_x509_certificate((folder / file).read_bytes())
    since = found.not_valid_before_utc if hasattr(found, "not_valid_before_utc") else found.not_valid_before
    assert since.replace(tzinfo=dt.UTC) <= dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def test_a_machine_that_believes_in_1970_is_told_so() -> None:
    with clock_at(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)):
        key = certificates.new_key().public_key()
        with pytest.raises(ConfigInvalid, match="the clock of this machine is wrong"):
            certificates.issue(ISSUER, "gate-1", key)


@pytest.mark.parametrize("lost", [("pub", "pem", "json"), ("pem", "json"), ("json",)])
@pytest.mark.parametrize("replaced", [False, True])
def test_an_enrolment_that_a_kill_has_ended_is_ended_by_the_next(
    folder: Path, lost: tuple[str, ...], *, replaced: bool
) -> None:
    devices_, before = folder / "devices", {}
    if replaced:
        enrol(folder, "gate-1")
        revocation.disenroll(folder, ["gate-1"], ask)
        before = {path.name: path.read_bytes() for path in devices_.iterdir()}
    enrol(folder, "gate-1")
    for ending in lost:  # these get their names in this order, after the key
        (devices_ / f"gate-1.{ending}").unlink()
        if content := before.get(f"gate-1.{ending}"):
            (devices_ / f"gate-1.{ending}").write_bytes(content)
    enrol(folder, "gate-1")
    entry, key = inventory.find(folder, "gate-1"), (devices_ / "gate-1.key").read_bytes()
    assert entry.serial == certificates.serial(authority.issued(folder, "gate-1")[0])
    assert not entry.revoked
    assert (folder / "enrolled/gate-1/device.key").read_bytes() == key
    assert Signer.from_pem(key).public_pem() == (devices_ / "gate-1.pub").read_bytes()


def test_nobody_is_kept_out_while_a_person_types_the_passphrase(folder: Path) -> None:
    def typed() -> str:
        with open_folder(folder) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return PASSPHRASE

    enrolment.enroll(enrolment.Options(folder, ("gate-1",), folder / "enrolled"), typed)
    enrolment.enroll(enrolment.Options(folder, ("gate-1",), folder / "enrolled", again=True), typed)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"groups": tuple(f"g{number}" for number in range(17))}, "it cannot be in so many groups"),
        ({"host": "elsewhere.example"}, "the broker's certificate does not have this name"),
        ({"pipelines": "this is = not ["}, "agent.toml is no TOML"),
        ({"pipelines": '[mqtt]\nhost = "x"\n'}, "agent.toml is no TOML"),
    ],
)
def test_what_no_device_could_use_is_refused_before_anything_is_written(
    folder: Path, more: dict[str, Any], problem: str
) -> None:
    enrol(folder, "gate-1")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("gate-1", "gate-2"):
        with pytest.raises(ConfigInvalid, match=problem):
            enrol(folder, name, **more)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
