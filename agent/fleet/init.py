"""edgectl init: the keys of a fleet, and what to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from agent.errors import ConfigInvalid
from agent.fleet.identity import begin as identity
from agent.fleet.identity.mosquitto import CONFIG
from agent.fleet.identity.place import BROKER, hosts
from agent.fleet.keys import COLLECTOR, DEVICES, check_names, make_keys
from agent.fleet.repository import begin as repository
from agent.fleet.repository.keystore import NAMES, Keystore
from agent.fleet.repository.passphrase import passphrase
from agent.fleet.repository.tree import Tree
from agent.link.topics import NAME_HINT, is_name

_ROOTS = (
    "Move root-1.key, root-2.key and root-3.key from there to three media, away from here:",
    "two of the three replace every other key. docs/fleet.md says more.",
)
_TABLES = ("[trust]", "[trust] and [models]")

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.fleet.identity.place import Site


def run(
    folder: Path,
    devices: Sequence[str],
    fleet: str,
    *,
    from_key: bool,
    as_json: bool,
    models: bool = False,
    broker: str = "",
    port: int | None = None,
    home_assistant: str | None = None,
    file: Path | None = None,
) -> None:
    """Make what is missing, and tell what comes next.

    Args:
        folder: the operator's.
        devices: their names.
        fleet: the fleet's name, for what is told.
        from_key: see ``make_keys``.
        as_json: tell it to programs.
        models: make the repository of models, too, with its keys, and the authority for certificates.
        broker: the broker's names, with commas between; "" leaves its files as they are.
        port: where the broker listens; None leaves it as it is.
        home_assistant: the prefix of Home Assistant's discovery; None leaves it as it is.
        file: holds the passphrase of those; None asks elsewhere.

    Raises:
        ConfigInvalid: a name is not allowed in a topic, a public key may have been taken away, or there is no
            passphrase.
        AgentError: the folder cannot be written.
    """
    if not is_name(fleet):
        raise ConfigInvalid("make keys of", repr(fleet), "a fleet cannot be called so", NAME_HINT)
    check_names(devices)
    if (broker or port or home_assistant) and not models:
        hint = "Leave --no-models out"
        raise ConfigInvalid("use", "--no-models", "a broker's certificate needs the passphrase, too", hint)
    names = hosts(broker)
    wanted = identity.wanted(folder, fleet, names, home_assistant, port)
    secret = _passphrase(folder, file, wanted) if models else None
    made = make_keys(folder, devices, from_key=from_key)
    if secret is not None:
        made += repository.begin(folder, lambda: secret)
    if models:
        made += identity.begin(folder, lambda: secret or "", fleet, wanted)
    if as_json:
        print(orjson.dumps({"folder": str(folder), "made": [str(path) for path in made]}).decode())
        return
    print("\n".join(_words(folder, devices, fleet, made, wanted)))


def _passphrase(folder: Path, file: Path | None, wanted: Site | None) -> str | None:
    """Get the passphrase, before anything is made; None where nothing is missing that needs it."""
    whole = Tree(folder).meta("timestamp.json").exists()
    if whole and not identity.lacking(folder, wanted):
        return None
    try:
        secret = passphrase(file, new=not whole)
    except ConfigInvalid as error:
        hint = f"{error.hint}; or give --no-models, for results alone"
        raise ConfigInvalid(error.op, error.subject, error.problem, hint) from error
    keys = Keystore(folder, lambda: secret)
    if known := next((name for name in reversed(NAMES) if whole and keys.has(name)), None):
        keys.control(known)  # all keys of a folder have one passphrase
    return secret


def _words(
    folder: Path, devices: Sequence[str], fleet: str, made: Sequence[Path], wanted: Site | None
) -> list[str]:
    root = folder / "tuf/meta/1.root.json"
    lines = [f"made {path}" for path in made] or [f"everything is there already: {folder}"]
    if not (folder / f"{COLLECTOR}.key").exists():
        lines.append(
            f"{COLLECTOR}.key is not in {folder}: it is where the collector runs. If it is lost, delete"
            f" {COLLECTOR}.pub and run this again; every device needs the new one"
        )
    if not devices and (folder / BROKER / CONFIG).exists():
        return [*lines, *_following(folder, wanted), *_ROOTS]
    lines += ["", f"Collect with:  edgectl collect --keys {folder} --fleet {fleet} --host BROKER"]
    if root.exists():
        where = f"--dir {folder} --fleet {fleet} --host BROKER"
        lines += [f"Publish with:  edgectl publish BUNDLE {where}"]
    if not devices:
        lines += [f"Add a device:  edgectl init {folder} --fleet {fleet} --device gate-1"]
        return lines
    lines += [
        "",
        f"Each device needs {'three' if root.exists() else 'two'} files, and these lines in its agent.toml:",
        "",
        "    [device]",
        f'    id = "{devices[0]}"{"   # each its own" if len(devices) > 1 else ""}',
        "    [mqtt]",
        f'    fleet = "{fleet}"',
        "    [trust]",
        '    device_key = "device.key"',
        '    collector_key = "collector.pub"',
        *(["    [models]", '    root = "root.json"'] if root.exists() else []),
        "",
    ]
    for device in devices:
        if (folder / DEVICES / f"{device}.key").exists():
            lines.append(f"    {folder / DEVICES / device}.key  ->  device.key of {device} (chmod 600)")
        else:
            lines.append(f"    {device} has its device.key: it is not in {folder} any more")
    lines += [
        f"    {folder / COLLECTOR}.pub  ->  collector.pub of each device",
        *([f"    {root}  ->  root.json of each device"] if root.exists() else []),
        "",
        f"Under systemd instead of {_TABLES[root.exists()]}; the unit passes them on as credentials:",
        "",
        "    sudo install -d -m 0700 /etc/credstore",
        "    sudo install -m 0600 device.key /etc/credstore/edge-agent.device-key",
        "    sudo install -m 0600 collector.pub /etc/credstore/edge-agent.collector-key",
        *(["    sudo install -m 0600 root.json /etc/credstore/edge-agent.tuf-root"] if root.exists() else []),
        "",
        f"Keep {folder / COLLECTOR}.key safe: with it anyone can have devices delete what nobody has stored.",
    ]
    return [*lines, *_ROOTS] if root.exists() else lines


def _following(folder: Path, site: Site | None) -> list[str]:
    """Say what comes next where the folder knows its broker: then no verb needs to be told of it."""
    config = folder / BROKER / CONFIG
    elsewhere = site is not None and f"\nlistener {site.port}" not in config.read_text(errors="replace")
    return [
        "",
        *([f"{config} is yours: change its listener to {site.port}"] if site and elsewhere else []),
        f"Broker:        mosquitto -c {folder / BROKER / CONFIG}",
        f"Enrol devices: edgectl enroll NAME --dir {folder}",
        f"Send metadata: edgectl heal --dir {folder}",
        f"Collect with:  edgectl collect --keys {folder}",
        f"Publish with:  edgectl publish BUNDLE --dir {folder}",
        "",
        f"Keep ca.key and {COLLECTOR}.key safe; docs/fleet.md says who needs which.",
    ]
