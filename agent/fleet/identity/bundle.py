"""What a device is given at its enrolment: keys, certificates, its configuration, and where they go. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass

DEVICE_KEY, CERTIFICATE, KEY, CA, COLLECTOR, ROOT = (
    "device.key",
    "mqtt.pem",
    "mqtt.key",
    "ca.pem",
    "collector.pub",
    "root.json",
)
CONFIG, CLOUD = "agent.toml", "user-data"
CREDENTIALS = {
    DEVICE_KEY: "device-key",
    CERTIFICATE: "mqtt-certificate",
    KEY: "mqtt-key",
    CA: "mqtt-ca",
    COLLECTOR: "collector-key",
    ROOT: "tuf-root",
}
"""The files, by the names of the credentials that the service's unit passes on."""
_SECRET, _OPEN = 0o600, 0o644
_TABLES = """\
# The configuration of {name}, written by edgectl enroll; docs/configuration.md explains every key.
# Files are looked for beside this one; under systemd the credentials of the same names come first.

[device]
id = "{name}"
groups = [{groups}]

[mqtt]
host = "{host}"
port = {port}
fleet = "{fleet}"
ca_file = "ca.pem"
cert_file = "mqtt.pem"
key_file = "mqtt.key"

[trust]
device_key = "device.key"
collector_key = "collector.pub"

[models]
root = "root.json"

"""
PIPELINES = """\
# A pipeline that waits for the model that `edgectl deploy` or `edgectl rollout` gives it, on a drawn camera;
# `edge-agent sources` prints the lines for a real one.
[[pipelines]]
name = "camera"
model = ""
source = { kind = "synthetic" }
"""
_README = """\
{name} of the fleet {fleet}. In this folder it runs as it is: edge-agent check, then edge-agent run.
As a service: give user-data to cloud-init, or install each file as it says there (docs/fleet.md).
Then delete this folder: {secrets}
"""
_CLOUD = """\
#cloud-config
# Gives {name} what it needs: files that only root reads, which the agent's unit takes as credentials.
write_files:
"""
_FILE = """\
  - path: {path}
    permissions: "{mode:04o}"
    owner: root:root
    encoding: b64
    content: {content}
"""
_RUN = """\
runcmd:
  - [chmod, "0700", /etc/credstore]
  - [systemctl, try-restart, edge-agent.service]
"""


@dataclass(frozen=True, slots=True)
class Given:
    """What goes into a bundle.

    Attributes:
        groups: those that the device is in.
        host: the broker's name, as the device calls it.
        port: where it listens.
        files: contents by the names above; a private key that stays elsewhere is not there.
        pipelines: the rest of the configuration, TOML.
    """

    name: str
    fleet: str
    groups: tuple[str, ...]
    host: str
    port: int
    files: dict[str, bytes]
    pipelines: str = PIPELINES


def contents(given: Given) -> dict[str, tuple[bytes, int]]:
    """Give the files of a bundle, by name, with their modes."""
    groups = ", ".join(f'"{one}"' for one in given.groups)
    tables = _TABLES.format(
        name=given.name, groups=groups, host=given.host, port=given.port, fleet=given.fleet
    )
    config = (tables + given.pipelines).encode()
    here = [name for name in (DEVICE_KEY, KEY) if name in given.files]
    secrets = (
        f"it holds {' and '.join(here)}, and user-data with them." if here else "nobody needs it any more."
    )
    readme = _README.format(name=given.name, fleet=given.fleet, secrets=secrets)
    return {
        **{name: (content, _mode(name)) for name, content in given.files.items()},
        CONFIG: (config, _OPEN),
        CLOUD: (_cloud(given, config), _SECRET),
        "README": (readme.encode(), _OPEN),
    }


def _cloud(given: Given, config: bytes) -> bytes:
    parts = [_CLOUD.format(name=given.name)]
    for name, content in given.files.items():
        parts.append(_entry(f"/etc/credstore/edge-agent.{CREDENTIALS[name]}", content, _SECRET))
    return "".join([*parts, _entry("/etc/edge-agent/agent.toml", config, _OPEN), _RUN]).encode()


def _entry(path: str, content: bytes, mode: int) -> str:
    return _FILE.format(path=path, mode=mode, content=base64.b64encode(content).decode("ascii"))


def _mode(name: str) -> int:
    return _SECRET if name in {DEVICE_KEY, KEY} else _OPEN
