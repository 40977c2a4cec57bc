"""A device goes over to a new certificate over the air, on a real mosquitto: done, refused, or killed between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent import certificates as own
from agent.fleet.commanding.commander import Commander
from agent.fleet.identity import authority, renewal
from tests.simulators.enrolled import agent, enrol, fleet, publish
from tests.simulators.fleet_broker import FleetBroker
from tests.simulators.operating import PASSPHRASE, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def commander(broker: FleetBroker) -> Commander:
    pair = (broker.folder / "clients/operator.pem", broker.folder / "clients/operator.key")
    return Commander(broker.folder, "north", broker.settings(*pair, client_id="edgectl-renew"), ask)


def online(device: RunningAgent) -> bool:
    return bool(device.status()["link"]["state"] == "online")


def test_a_device_makes_a_key_and_goes_over_to_its_certificate(broker: FleetBroker) -> None:
    with agent(broker, "gate-1") as device:
        device.until(lambda _: online(device))
        issuer = authority.opened(broker.folder, PASSPHRASE)
        with commander(broker) as operator:
            [one] = renewal.renew(broker.folder, ["gate-1"], operator, issuer)
        assert one.problem == ""
        current = device.data / "credentials/current.pem"
        assert own.facts(current.read_bytes()).serial == one.serial
        assert current.stat().st_mode & 0o077 == 0
        assert sorted(path.name for path in current.parent.iterdir()) == ["current.pem"]
        assert device.status()["events"]["credentials.changed"] == 1
        assert device.end() == 0, device.log
    (broker.folder / "enrolled/gate-1/mqtt.pem").write_text("gone")  # it needs the old pair no more
    with agent(broker, "gate-1") as device:
        device.until(lambda _: online(device))
