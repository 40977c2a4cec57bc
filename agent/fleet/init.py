"""edgectl init: the keys of a fleet, and what to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from agent.errors import ConfigInvalid
from agent.fleet.keys import COLLECTOR, DEVICES, make_keys
from agent.link.topics import NAME_HINT, is_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(folder: Path, devices: Sequence[str], fleet: str, *, from_key: bool, as_json: bool) -> None:
    """Make what is missing, and tell what comes next.

    Raises:
        ConfigInvalid: a name is not allowed in a topic, or a public key may have been taken away.
        AgentError: the folder cannot be written.
    """
    if not is_name(fleet):
        raise ConfigInvalid("make keys of", repr(fleet), "a fleet cannot be called so", NAME_HINT)
    made = make_keys(folder, devices, from_key=from_key)
    if as_json:
        print(orjson.dumps({"folder": str(folder), "made": [str(path) for path in made]}).decode())
        return
    print("\n".join(_words(folder, devices, fleet, made)))


def _words(folder: Path, devices: Sequence[str], fleet: str, made: Sequence[Path]) -> list[str]:
    lines = [f"made {path}" for path in made] or [f"everything is there already: {folder}"]
    if not (folder / f"{COLLECTOR}.key").exists():
        lines.append(
            f"{COLLECTOR}.key is not in {folder}: it is where the collector runs. If it is lost, delete"
            f" {COLLECTOR}.pub and run this again; every device needs the new one"
        )
    lines += ["", f"Collect with:  edgectl collect --keys {folder} --fleet {fleet} --host BROKER"]
    if not devices:
        lines += [f"Add a device:  edgectl init {folder} --fleet {fleet} --device gate-1"]
        return lines
    lines += [
        "",
        "Each device needs two files, and these lines in its agent.toml:",
        "",
        "    [device]",
        f'    id = "{devices[0]}"{"   # each its own" if len(devices) > 1 else ""}',
        "    [mqtt]",
        f'    fleet = "{fleet}"',
        "    [trust]",
        '    device_key = "device.key"',
        '    collector_key = "collector.pub"',
        "",
    ]
    for device in devices:
        if (folder / DEVICES / f"{device}.key").exists():
            lines.append(f"    {folder / DEVICES / device}.key  ->  device.key of {device} (chmod 600)")
        else:
            lines.append(f"    {device} has its device.key: it is not in {folder} any more")
    lines += [
        f"    {folder / COLLECTOR}.pub  ->  collector.pub of each device",
        "",
        "Under systemd instead of [trust]; the unit passes them on as credentials:",
        "",
        "    sudo install -d -m 0700 /etc/credstore",
        "    sudo install -m 0600 device.key /etc/credstore/edge-agent.device-key",
        "    sudo install -m 0600 collector.pub /etc/credstore/edge-agent.collector-key",
        "",
        f"Keep {folder / COLLECTOR}.key safe: with it anyone can have devices delete what nobody has stored.",
    ]
    return lines
