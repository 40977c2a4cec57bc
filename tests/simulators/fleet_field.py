"""The field behind the broker that ``edgectl init`` has set up: mutual TLS, the access list, all limits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.simulators.enrolled import enrol, fleet
from tests.simulators.field import Field
from tests.simulators.fleet_broker import FleetBroker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulators.running_agent import RunningAgent


class FleetField(Field):
    """A field whose devices are enrolled; the fleet is "north"."""

    def __init__(self, folder: Path, *devices: str) -> None:
        super().__init__(folder, *devices)
        fleet(self.keys)
        enrol(self.keys, *devices)
        self.fleet_broker = FleetBroker(self.keys)
        self.broker = self.fleet_broker  # type: ignore[assignment]  # it does what is asked of one here

    def agent(self, device: str, **more: Any) -> RunningAgent:
        """Make an agent of a device, with the certificate of its enrolment."""
        agent = super().agent(device, port=self.fleet_broker.port, **more)
        bundle = self.keys / "enrolled" / device
        files = "\n".join(
            f'{name}_file = "{bundle / file}"'
            for name, file in (("ca", "ca.pem"), ("cert", "mqtt.pem"), ("key", "mqtt.key"))
        )
        text = agent.config.read_text().replace('host = "127.0.0.1"', f'host = "localhost"\n{files}')
        agent.config.write_text(text.replace('fleet = "field"', 'fleet = "north"'))
        return agent

    def start_collector(self) -> None:
        """Start it as an operator does: the folder knows the broker."""
        to = ["--to", f"sqlite:///{self.database}", "--keys", str(self.keys), "--json"]
        where = ["--port", str(self.fleet_broker.port)]
        with (self.folder / "collector.log").open("ab") as log:
            self._collector = subprocess.Popen(
                [sys.executable, "-m", "agent.fleet.main", "collect", *where, *to],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._collector.stdout is not None
        assert json.loads(self._collector.stdout.readline())["event"] == "ready"
