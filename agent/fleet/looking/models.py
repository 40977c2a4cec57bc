"""``edgectl models``: what each device says that it runs, wants, and has refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.documents import reported as reports
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet.columns import columns
from agent.fleet.kept import kept_of
from agent.fleet.keys import DEVICES, DeviceKeys
from agent.fleet.looking.whom import nobody
from agent.link import topics
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.documents.reported import Reported, Serving, Standing
    from agent.link.settings import LinkSettings

_CELL = 200


@dataclass(frozen=True, slots=True)
class Device:
    """A device, and what it reports; ``problem`` says why that does not count, or is not there."""

    name: str
    reported: Reported | None
    problem: str = ""


def look(folder: Path, fleet: str, device: str, settings: LinkSettings, *, unsigned: bool) -> list[Device]:
    """Give what the devices of a fleet report, by their names.

    Args:
        folder: the operator's; its devices are looked at, and their keys prove what they say.
        fleet: the fleet.
        device: only this one; "" for all.
        settings: of the link.
        unsigned: believe what has no signature.

    Raises:
        ConfigInvalid: a device cannot be called so, or there are none.
        LinkLost: the broker does not answer, or refuses.
    """
    names = [device] if device else sorted(path.stem for path in (folder / DEVICES).glob("*.pub"))
    if device and not topics.is_name(device):
        raise ConfigInvalid("look at", repr(device), "a device cannot be called so", topics.NAME_HINT)
    if not names:
        raise nobody(folder)
    kept = kept_of(settings, fleet, names, topics.up_reported)
    keys = DeviceKeys(folder, unsigned=unsigned)
    return [_device(keys, fleet, name, kept.get(name)) for name in names]


def _device(keys: DeviceKeys, fleet: str, name: str, payload: bytes | None) -> Device:
    if not payload:
        return Device(name, None, "has reported nothing")
    try:
        return Device(name, reports.decode(payload, keys.verifier(name), fleet=fleet, device=name))
    except (MessageInvalid, ConfigInvalid) as error:
        return Device(name, None, error.problem)


def as_json(devices: Sequence[Device], now_s: float) -> dict[str, Any]:
    """Give everything as one object."""
    return {"devices": {one.name: _facts(one, now_s) for one in devices}}


def _facts(device: Device, now_s: float) -> dict[str, Any]:
    if device.reported is None:
        return {"reported": None, "problem": device.problem}
    body = device.reported.model_dump(mode="json")
    return {"reported": body, "problem": device.problem, "age_s": round(now_s - device.reported.at)}


def table(devices: Sequence[Device], now_s: float) -> list[str]:
    """Give a line for each pipeline of each device, with a head."""
    rows: list[tuple[str, ...]] = [
        ("DEVICE", "PIPELINE", "SERVES", "WANTED", "STATE", "CLOCK", "METADATA", "REASON")
    ]
    for device in devices:  # a device's own words may not steer the terminal
        rows += [tuple(plain(cell, _CELL) for cell in row) for row in _rows(device, now_s)]
    return columns(rows)


def _rows(device: Device, now_s: float) -> Iterator[tuple[str, ...]]:
    found = device.reported
    if found is None:
        yield (device.name, "-", "-", "-", "unknown", "-", "-", device.problem)
        return
    clock = {True: "set", False: "not set", None: "unknown"}[found.synced]
    about = (clock, _metadata(found, now_s))
    if not found.pipelines:
        yield (device.name, "-", "-", "-", "idle", *about, found.problem)
    for name, one in sorted(found.pipelines.items()):
        wanted = str(one.wanted) if one.wanted else "-"
        reason = one.reason or found.problem or found.metadata.problem
        yield (device.name, name, _serving(one.serving), wanted, _state(one), *about, reason)


def _serving(one: Serving | None) -> str:
    return f"{one.name}@{one.version}" if one else "-"


def _state(one: Standing) -> str:
    have = f" {_percent(*one.progress)}" if one.progress else ""
    return f"{one.state}{have}{' overdue' if one.overdue else ''}"


def _percent(have: int, whole: int) -> str:
    return f"{100 * have // whole if whole else 0}%"


def _metadata(found: Reported, now_s: float) -> str:
    """Say how long the update metadata holds, by our clock."""
    if not found.metadata.timestamp:
        return "none"
    left_s = found.metadata.expires - now_s
    if left_s <= 0:
        return "expired"
    return f"{left_s / 86_400:.1f} d left"
