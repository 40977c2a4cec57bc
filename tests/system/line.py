"""The whole line on one machine: a device with keys, a broker, and the collector, each under its own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tests.system.booted import COLLECTOR, CONFIG

if TYPE_CHECKING:
    from tests.system.container import Container

BROKER = "broker.service"
EDGECTL = "/opt/edge-agent/bin/edgectl"
LINE = f"""
[device]
id = "gate-1"
[mqtt]
host = "127.0.0.1"
port = 1883
fleet = "north"
resend_s = 1
reconnect_max_s = 1
[metrics]
interval_s = 0.5
{CONFIG}
"""
_KEYS = "/etc/edgectl/keys"
_COLLECT = (
    'COLLECT_OPTIONS="--host 127.0.0.1 --port 1883 --fleet north --keys /etc/edgectl/keys '
    '--to sqlite:////var/lib/edgectl/north.db"\nEDGECTL_PASSWORD=unused\n'
)
_MOSQUITTO = """
[Service]
ExecStart=mosquitto -p 1883
[Install]
WantedBy=multi-user.target
"""
_QUERY = """
import json, sqlite3, sys
db = sqlite3.connect("file:/var/lib/edgectl/north.db?mode=ro", uri=True)
print(json.dumps(db.execute(sys.argv[1], sys.argv[2:]).fetchall()))
"""


def lay(machine: Container) -> None:
    """Set up broker, keys and collector as the manual says, and start broker and collector."""

    def done(*command: str) -> None:
        told = machine.run(*command)
        assert told.returncode == 0, told.stderr

    machine.write(f"/etc/systemd/system/{BROKER}", _MOSQUITTO)
    done("useradd", "--system", "--home-dir", "/var/lib/edgectl", "--shell", "/usr/sbin/nologin", "edgectl")
    done("mkdir", "-p", "/etc/edgectl")
    done(EDGECTL, "init", _KEYS, "--fleet", "north", "--device", "gate-1", "--no-models")
    done("chown", "-R", "edgectl:", _KEYS)
    done("install", "-d", "-m", "0700", "/etc/credstore")
    for name, key in (("device-key", "devices/gate-1.key"), ("collector-key", "collector.pub")):
        done("install", "-m", "0600", f"{_KEYS}/{key}", f"/etc/credstore/edge-agent.{name}")
    machine.write("/etc/edgectl/collect.env", _COLLECT)
    done("systemctl", "daemon-reload")
    done("systemctl", "enable", "--now", BROKER, COLLECTOR)


def collected(machine: Container, query: str, *values: str) -> list[list[Any]]:
    """Ask the collector's database."""
    told = machine.run("/usr/bin/python3", "-c", _QUERY, query, *values)
    assert told.returncode == 0, told.stderr
    found: list[list[Any]] = orjson.loads(told.stdout)
    return found


def delivering(machine: Container, more: int = 50) -> dict[str, Any]:
    """Wait until the collector has acknowledged ``more`` records of this start; give the status."""
    found: list[dict[str, Any]] = []

    def acked() -> bool:
        found[:] = [status] if (status := machine.status()) else []
        return bool(found and found[0]["link"]["state"] == "online" and found[0]["store"]["acked"] >= more)

    machine.until(acked, "deliver", 40)
    return found[0]


def drained(machine: Container) -> dict[str, Any]:
    """Wait until hardly anything waits; give the status."""
    found: list[dict[str, Any]] = []

    def empty() -> bool:
        found[:] = [status] if (status := machine.status()) else []
        return bool(found and found[0]["link"]["state"] == "online" and found[0]["store"]["backlog"] < 100)

    machine.until(empty, "drain", 60)
    return found[0]
