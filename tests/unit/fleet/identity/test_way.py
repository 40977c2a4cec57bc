"""Where no broker is named, the folder's is used, with the certificate that fits; what is named stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import ConfigInvalid
from agent.fleet.identity.way import way
from tests.simulators.enrolled import enrol, fleet

if TYPE_CHECKING:
    from pathlib import Path

NONE: dict[str, Any] = {
    "host": "",
    "port": 1883,
    "fleet": "default",
    "username": "",
    "tls": False,
    "ca_file": "",
    "cert_file": "",
    "key_file": "",
}


def test_the_folders_broker_is_reached_with_the_certificate_of_who_asks(tmp_path: Path) -> None:
    folder = fleet(tmp_path / "keys", broker="broker.example")
    found = way(folder, "collector", NONE, 1883)
    assert (found["host"], found["port"], found["fleet"], found["tls"]) == (
        "broker.example",
        8883,
        "north",
        True,
    )
    assert found["ca_file"] == str(folder / "ca.pem")
    assert found["cert_file"] == str(folder / "clients/collector.pem")
    assert way(folder, "operator", NONE | {"port": 9000, "fleet": "south"}, 1883)["port"] == 9000


@pytest.mark.parametrize("named", [{"username": "me"}, {"ca_file": "ca.pem"}, {"tls": True}])
def test_who_says_how_to_log_in_is_not_helped(tmp_path: Path, named: dict[str, Any]) -> None:
    folder = fleet(tmp_path / "keys")
    assert way(folder, "operator", NONE | named, 1883) == NONE | named | {"host": "127.0.0.1"}


def test_a_folder_that_knows_no_broker_and_none_at_all_mean_this_machine(tmp_path: Path) -> None:
    assert way(tmp_path, "operator", NONE, 1883)["host"] == "127.0.0.1"
    assert way(None, "operator", NONE, 1883)["host"] == "127.0.0.1"
    assert way(tmp_path, "operator", NONE | {"host": "b"}, 1883) == NONE | {"host": "b"}


def test_a_broker_on_another_port_is_found_there_by_the_operator_and_by_devices(tmp_path: Path) -> None:
    folder = fleet(tmp_path / "keys", port=9883)
    enrol(folder, "gate-1")
    assert way(folder, "operator", NONE, 1883)["port"] == 9883
    assert "\nlistener 9883\n" in (folder / "broker/mosquitto.conf").read_text()
    assert "\nport = 9883\n" in (folder / "enrolled/gate-1/agent.toml").read_text()
    fleet(folder, broker="")
    assert way(folder, "operator", NONE, 1883)["port"] == 9883


def test_a_port_without_a_broker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="--broker HOST"):
        fleet(tmp_path / "keys", broker="", port=9883)


def test_a_folder_that_is_not_there_is_not_called_one_without_an_authority(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"there is no such folder. .*--dir DIR"):
        enrol(tmp_path / "kyes", "gate-1")
