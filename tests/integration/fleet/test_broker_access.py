"""The generated configuration on a real mosquitto with TLS: who gets in, and who gets what."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from agent.fleet import init
from agent.fleet.identity import authority, certificates, enrolment, revocation
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkUp
from tests.simulators.ear import Ear
from tests.simulators.fleet_broker import FleetBroker
from tests.simulators.operating import PASSPHRASE, ask, cheap_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.mosquitto

ROOT = "edge/v1/north"


def enrol(folder: Path, *names: str, **more: Any) -> None:
    enrolment.enroll(enrolment.Options(folder, names, folder / "enrolled", **more), ask)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetBroker]:
    """A broker of the fleet "north": gate-1 and gate-2 are in "gates", cam-1 is in "yard"."""
    folder = tmp_path_factory.mktemp("fleet") / "keys"
    with cheap_keys(), mock.patch.dict("os.environ", EDGECTL_PASSPHRASE=PASSPHRASE):
        init.run(folder, [], "north", from_key=False, as_json=True, models=True, broker="localhost,127.0.0.1")
        enrol(folder, "gate-1", "gate-2", "gate-3", groups=("gates",))
        enrol(folder, "cam-1", groups=("yard",))
    with FleetBroker(folder) as made:
        yield made


@contextmanager
def linked(broker: FleetBroker, who: str, *listen: str, **more: Any) -> Iterator[tuple[Link, Ear]]:
    """Connect a device, or who is listed by name; "operator" and "collector" are."""
    place = broker.folder / "enrolled" / who
    pair = (place / "mqtt.pem", place / "mqtt.key")
    if not place.exists():
        pair = (broker.folder / f"clients/{who}.pem", broker.folder / f"clients/{who}.key")
    ear = Ear()
    settings = broker.settings(*pair, client_id=more.pop("client_id", f"test-{who}"), **more)
    link = Link(settings, post=ear.post, subscriptions=[(topic, 1) for topic in listen])
    link.start()
    try:
        yield link, ear
    finally:
        link.close(2)


def refused(link: Link, ear: Ear, topic: str) -> str:
    """Publish; give why the broker has not taken it, "" where it has."""
    link.publish(topic, b"x")
    return ear.wait(LinkPublished).refused


@pytest.mark.parametrize(
    ("who", "topic", "may"),
    [
        ("gate-1", f"{ROOT}/d/gate-1/up/results", True),
        ("gate-1", f"{ROOT}/d/gate-1/up/media/1", True),
        ("gate-1", f"{ROOT}/d/gate-1/echo/7", True),
        ("gate-1", f"{ROOT}/d/gate-2/up/results", False),
        ("gate-1", f"{ROOT}/d/gate-2/echo/7", False),
        ("gate-1", f"{ROOT}/d/gate-1/down/ack", False),
        ("gate-1", f"{ROOT}/d/gate-1/down/cmd", False),
        ("gate-1", f"{ROOT}/g/gates/cmd", False),
        ("gate-1", f"{ROOT}/all/cmd", False),
        ("gate-1", f"{ROOT}/tuf/hint", False),
        ("gate-1", "edge/v1/south/d/gate-1/up/results", False),
        ("operator", f"{ROOT}/d/gate-1/down/desired", True),
        ("operator", f"{ROOT}/g/gates/cmd", True),
        ("operator", f"{ROOT}/all/cmd", True),
        ("operator", f"{ROOT}/tuf/hint", True),
        ("operator", f"{ROOT}/d/gate-1/down/ack", False),
        ("operator", f"{ROOT}/d/gate-1/up/results", False),
        ("collector", f"{ROOT}/d/gate-1/down/ack", True),
        ("collector", f"{ROOT}/d/gate-1/down/desired", False),
        ("collector", f"{ROOT}/d/gate-1/up/results", False),
    ],
)
def test_each_writes_where_it_may_and_nowhere_else(
    broker: FleetBroker, who: str, topic: str, may: bool
) -> None:
    with linked(broker, who) as (link, ear):
        ear.wait(LinkUp)
        assert (refused(link, ear, topic) == "") == may


def test_a_device_hears_what_is_its_own_and_nothing_of_its_neighbours(broker: FleetBroker) -> None:
    own = [f"{ROOT}/d/gate-1/down/cmd", f"{ROOT}/g/gates/cmd", f"{ROOT}/all/cmd"]
    others = [f"{ROOT}/d/gate-2/down/cmd", f"{ROOT}/g/yard/cmd", f"{ROOT}/d/gate-2/up/state"]
    with linked(broker, "gate-1", *own, *others) as (_, heard), linked(broker, "operator") as (link, ear):
        heard.wait(LinkUp)  # SUBACK grants all: mosquitto looks when it delivers
        ear.wait(LinkUp)
        with linked(broker, "gate-2") as (neighbour, its):
            its.wait(LinkUp)
            assert refused(neighbour, its, others[2]) == ""
        for topic in (*others[:2], *own):
            assert refused(link, ear, topic) == ""
        assert [heard.wait(LinkMessage).topic for _ in own] == own


def test_a_wildcard_shows_a_device_no_more_than_its_own(broker: FleetBroker) -> None:
    with linked(broker, "gate-1", "#") as (_, heard), linked(broker, "operator") as (link, ear):
        heard.wait(LinkUp)
        ear.wait(LinkUp)
        wanted = f"{ROOT}/d/gate-1/down/cmd"
        for topic in (f"{ROOT}/d/gate-2/down/cmd", f"{ROOT}/g/yard/cmd", wanted):
            refused(link, ear, topic)
        assert heard.wait(LinkMessage).topic == wanted


def assert_turned_away(broker: FleetBroker, certificate: Path, key: Path) -> None:
    """Show the broker a certificate that it must not take."""
    ear = Ear()
    link = Link(broker.settings(certificate, key), post=ear.post)
    link.start()
    try:
        first = ear.wait(object)
    finally:
        link.close(2)
    assert isinstance(first, LinkDown)


def pair(folder: Path, name: str, issuer: certificates.Issuer, **more: Any) -> tuple[Path, Path]:
    """Make a certificate and its key; give their files."""
    key = certificates.new_key()
    made = certificates.issue(issuer, name, key.public_key(), **more)
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificates.pem(made))
    files[1].write_bytes(certificates.key_pem(key))
    return files


def test_an_expired_certificate_a_servers_and_one_of_a_foreign_authority_are_turned_away(
    broker: FleetBroker, tmp_path: Path
) -> None:
    ours = authority.opened(broker.folder, PASSPHRASE)
    foreign_key = certificates.new_key()
    foreign = certificates.Issuer(certificates.new_authority("north", foreign_key), foreign_key)
    assert_turned_away(broker, *pair(tmp_path, "gate-1", ours, days=-1))
    assert_turned_away(broker, *pair(tmp_path, "gate-1", foreign))
    assert_turned_away(broker, broker.folder / "broker/server.pem", broker.folder / "broker/server.key")


def test_who_shows_no_certificate_is_turned_away(broker: FleetBroker) -> None:
    ear = Ear()
    link = Link(replace(broker.settings(Path(), Path()), cert_file="", key_file=""), post=ear.post)
    link.start()
    try:
        assert isinstance(ear.wait(object), LinkDown)
    finally:
        link.close(2)


def test_a_device_that_is_out_is_mute_at_once_and_turned_away_when_it_comes_again(
    broker: FleetBroker,
) -> None:
    own = f"{ROOT}/d/gate-3/up/state"
    with linked(broker, "gate-3") as (link, ear):
        ear.wait(LinkUp)
        assert refused(link, ear, own) == ""
        revocation.disenroll(broker.folder, ["gate-3"], ask)
        broker.reload()
        give_up = time.monotonic() + 60
        while refused(link, ear, own) == "":
            assert time.monotonic() < give_up, "it may still write"
    place = broker.folder / "enrolled/gate-3"
    assert_turned_away(broker, place / "mqtt.pem", place / "mqtt.key")
    with linked(broker, "gate-2") as (_, heard):
        heard.wait(LinkUp)


def test_a_neighbours_client_id_throws_it_out_and_gets_nothing_that_is_its_own(broker: FleetBroker) -> None:
    mine = f"{ROOT}/d/gate-1/down/cmd"
    kept = {"client_id": "north-gate-1", "session_expiry_s": 600, "manual_ack": True}
    with linked(broker, "gate-1", mine, **kept) as (_, heard):
        heard.wait(LinkUp)
    with linked(broker, "operator") as (link, ear):
        ear.wait(LinkUp)
        assert refused(link, ear, mine) == ""  # it waits in the session that gate-1 has left
    with linked(broker, "gate-2", **kept) as (_, thief):
        thief.wait(LinkUp)
        assert thief.silent(LinkMessage, 0.3)
