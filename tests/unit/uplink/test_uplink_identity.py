"""Who a device is at its broker: rule [mqtt-3] of docs/protocol.md."""

from __future__ import annotations

from pathlib import Path

from agent.config.tables import Mqtt
from agent.uplink.uplink import link_settings


def test_a_devices_client_id_is_its_fleet_and_name() -> None:
    settings = link_settings(Mqtt(host="broker.example", fleet="north"), "gate-1", Path("/etc"))
    assert settings.client_id == "north-gate-1"
    assert settings.session_expiry_s == 0  # of those who borrow them: the uplink keeps its own


def test_mutual_tls_works_with_the_systems_authorities_too() -> None:
    mqtt = Mqtt(host="broker.example", tls=True, cert_file="me.pem", key_file="me.key")
    settings = link_settings(mqtt, "gate-1", Path("/etc"))
    assert (settings.tls, settings.ca_file, settings.cert_file) == (True, "", "/etc/me.pem")


def test_tls_files_are_looked_for_beside_the_configuration() -> None:
    mqtt = Mqtt(host="broker.example", ca_file="ca.pem", cert_file="/keys/me.pem", key_file="keys/me.key")
    settings = link_settings(mqtt, "gate-1", Path("/etc/edge-agent"))
    assert settings.tls
    assert settings.ca_file == "/etc/edge-agent/ca.pem"
    assert settings.cert_file == "/keys/me.pem"
    assert settings.key_file == "/etc/edge-agent/keys/me.key"
