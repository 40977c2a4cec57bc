"""A device goes over to a new certificate over the air, on a real mosquitto, and back where that fails."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from cryptography import x509

from agent.fleet.commanding.commander import Commander
from agent.fleet.identity import authority, renewal
from agent.trust import certificates as own
from tests.simulators.enrolled import agent, enrol, fleet, publish
from tests.simulators.field import until
from tests.simulators.fleet_broker import FleetBroker
from tests.simulators.operating import PASSPHRASE, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simulators.running_agent import RunningAgent

pytestmark = pytest.mark.mosquitto


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetBroker]:
    """The broker of three enrolled devices."""
    folder = fleet(tmp_path_factory.mktemp("fleet") / "keys")
    enrol(folder, "gate-1", "gate-2", "gate-3")
    with FleetBroker(folder) as made:
        publish(made)
        yield made


@contextmanager
def commanding(broker: FleetBroker, device: str) -> Iterator[Commander]:
    """Give what sends commands, once the device knows whose it takes."""
    pair = (broker.folder / "clients/operator.pem", broker.folder / "clients/operator.key")
    settings = broker.settings(*pair, client_id="edgectl-renew")
    with Commander(broker.folder, "north", settings, ask) as made:
        ask_for = {"step": "request"}  # to ask is harmless, and is answered only if the signature counts
        until(lambda: made.run("credentials", ask_for, devices=[device], timeout_s=0.5)[0].good, "it obeys")
        yield made


def online(device: RunningAgent) -> bool:
    return bool(device.status()["link"]["state"] == "online")


def test_a_device_makes_a_key_and_goes_over_to_its_certificate(broker: FleetBroker) -> None:
    issuer = authority.opened(broker.folder, PASSPHRASE)
    with agent(broker, "gate-1") as device:
        device.until(lambda _: online(device))
        with commanding(broker, "gate-1") as operator:
            [one] = renewal.renew(broker.folder, ["gate-1"], operator, issuer)
        assert one.problem == ""
        current = device.data / "credentials/current.pem"
        assert own.facts(current.read_bytes()).serial == one.serial
        assert current.stat().st_mode & 0o077 == 0
        assert [path.name for path in current.parent.iterdir()] == ["current.pem"]
        assert device.status()["events"]["credentials.changed"] == 1
        assert device.end() == 0, device.log
    (broker.folder / "enrolled/gate-1/mqtt.pem").write_text("gone")  # it needs the old pair no more
    shutil.rmtree(device.data / "models")  # what was fetched has to be fetched again, over the new pair
    with agent(broker, "gate-1") as device:
        device.until(lambda _: online(device))
        until(lambda: list((device.data / "models").rglob("timestamp.json")), "the updater has been there")
        assert "updater.failed" not in device.status()["events"]


def test_a_certificate_that_the_broker_refuses_costs_a_moment_and_is_told(broker: FleetBroker) -> None:
    issuer = authority.opened(broker.folder, PASSPHRASE)
    with agent(broker, "gate-2") as device:
        device.until(lambda _: online(device))
        with commanding(broker, "gate-2") as operator:
            record = renewal._record

            def and_revoke(folder: Path, name: str, pem: bytes) -> bool:
                done = record(folder, name, pem)
                serial = x509.load_pem_x509_certificate(pem).serial_number
                authority.revoke(folder, issuer, [serial])
                broker.reload()
                return done

            with mock.patch.object(renewal, "_record", and_revoke):
                [one] = renewal.renew(broker.folder, ["gate-2"], operator, issuer)
        assert "the broker has not taken the certificate" in one.problem
        assert online(device)
        kept = device.data / "credentials"
        assert [path.name for path in kept.iterdir()] == ["refused.pem"]
        assert device.status()["events"]["credentials.refused"] == 1


def test_an_agent_that_is_killed_while_it_goes_over_ends_what_it_began(broker: FleetBroker) -> None:
    issuer = authority.opened(broker.folder, PASSPHRASE)
    kept = broker.folder / "enrolled/gate-3/data/credentials"
    found: list[renewal.Renewed] = []
    with agent(broker, "gate-3") as device:
        device.until(lambda _: online(device))
        with commanding(broker, "gate-3") as operator:
            work = threading.Thread(
                target=lambda: found.extend(renewal.renew(broker.folder, ["gate-3"], operator, issuer))
            )
            work.start()
            while not any((kept / name).exists() for name in ("candidate.pem", "current.pem")):
                assert work.is_alive()
                time.sleep(0.001)
            device.process.kill()
            device.process.wait()
            with agent(broker, "gate-3"):
                work.join(60)
    assert [one.problem for one in found] == [""]
    assert sorted(path.name for path in kept.iterdir()) == ["current.pem"]
    assert own.facts((kept / "current.pem").read_bytes()).serial == found[0].serial
