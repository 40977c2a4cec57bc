"""A fleet with its own authority, made quickly, and agents that run on the bundles of their enrolment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest import mock

from agent.fleet import init
from agent.fleet.identity import enrolment
from tests.simulators.edgectl import Edgectl
from tests.simulators.operating import PASSPHRASE, ask, cheap_keys
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulators.fleet_broker import FleetBroker


def fleet(folder: Path, *, broker: str = "localhost,127.0.0.1", **more: Any) -> Path:
    """Make the operator's folder of the fleet "north"; give it."""
    with cheap_keys(), mock.patch.dict(os.environ, EDGECTL_PASSPHRASE=PASSPHRASE):
        init.run(folder, [], "north", from_key=False, as_json=True, models=True, broker=broker, **more)
    return folder


def enrol(folder: Path, *names: str, **more: Any) -> list[enrolment.Enrolled]:
    """Enrol devices; their bundles go to DIR/enrolled."""
    return enrolment.enroll(enrolment.Options(folder, names, folder / "enrolled", **more), ask)


def publish(broker: FleetBroker) -> None:
    """Put the fleet's metadata on the broker: devices learn from it who may command them."""
    clients = broker.folder / "clients"
    files = {"ca-file": broker.folder / "ca.pem", "cert-file": clients / "operator.pem"}
    files["key-file"] = clients / "operator.key"
    words = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    with mock.patch.dict(os.environ, EDGECTL_PASSPHRASE=PASSPHRASE):
        Edgectl(broker.folder, broker.port)("heal", "--fleet", "north", *words)


def agent(broker: FleetBroker, name: str) -> RunningAgent:
    """Make the agent of an enrolled device, in its bundle; enter it to start it."""
    folder = broker.folder / "enrolled" / name
    config = folder / "agent.toml"
    text = (folder / "enrolled.toml" if (folder / "enrolled.toml").exists() else config).read_text()
    made = RunningAgent(folder, more="")
    ours = made.config.read_text().partition("[[pipelines]]")[0]  # where data and socket are
    (folder / "enrolled.toml").write_text(text)
    made.config.write_text(ours + text.replace("port = 8883", f"port = {broker.port}\nreconnect_max_s = 1"))
    made.environment = {**os.environ, "EDGE_AGENT__SHUTDOWN_DRAIN_S": "0"}
    return made
