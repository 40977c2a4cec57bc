"""Attacks 10 to 34: on the metadata, by whoever owns the broker or has stolen keys."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulators.attack import REFUSED, attack
from tests.simulators.update_world import NEW, NEXT, OLD

if TYPE_CHECKING:
    from tests.simulators.update_world import World
    from tests.simulators.updating import Device, Outcome


@attack(10, "none: 1.1.0 is published", "accepted")
def _(world: World) -> Outcome:
    device = world.device()
    device.update(OLD)
    world.add("1.1.0", NEXT)
    found = device.update(NEW)
    assert len(device.bundles()) == 2
    return found


@attack(11, "rollback: an old timestamp is put back", REFUSED, "timestamp")
def _(world: World) -> Outcome:
    first, device = world.updated()
    world.shelf.put({"meta/timestamp.json": first["meta/timestamp.json"]})
    return device.update(OLD)


@attack(12, "... and a device that has not seen the new one, which the timestamp's expiry bounds", "accepted")
def _(world: World) -> Outcome:
    first, _ = world.updated()
    world.shelf.put({"meta/timestamp.json": first["meta/timestamp.json"]})
    return world.device("second").update(OLD)


@attack(13, "mix and match: an old snapshot under the new one's name", REFUSED, "snapshot")
def _(world: World) -> Outcome:
    before = world.fleet.name("snapshot")
    first, _ = world.updated()
    world.shelf.put({world.fleet.name("snapshot"): first[before]})
    return world.device("second").update(OLD)


@attack(14, "mix and match: an old models.json under the new one's name", REFUSED, "models")
def _(world: World) -> Outcome:
    before = world.fleet.name("models")
    first, _ = world.updated()
    world.shelf.put({world.fleet.name("models"): first[before]})
    return world.device("second").update(OLD)


@attack(15, "none: the device is up to date", "accepted")
def _(world: World) -> Outcome:
    _, device = world.updated()
    found = device.update(NEW)
    assert found.fetched[0].fetched == 0
    return found


@attack(16, "freeze: the timestamp has expired", REFUSED, "timestamp: timestamp.json is expired")
def _(world: World) -> Outcome:
    world.fleet.now -= timedelta(days=15)
    world.fleet.resign()
    world.publish()
    return world.device().update(OLD)


@attack(17, "freeze, seen from a clock that stands: a floor tells", REFUSED, "clock runs behind")
def _(world: World) -> Outcome:
    device = world.device()
    device.update(OLD)
    device.floors["clock"] += 15 * 86400
    return device.update(OLD)


@attack(18, "freeze: the timestamp is deleted", "Absent", "timestamp.json")
def _(world: World) -> Outcome:
    device = world.device()
    device.update(OLD)
    world.shelf.put({"meta/timestamp.json": b""})
    return device.update(OLD)


def _forged(world: World, role: str) -> Outcome:
    thief = world.fleet.stolen()
    thief.roles[role].signed.version -= role != "timestamp"
    thief.publish(role)
    world.shelf.put({thief.name(role): thief.files()[thief.name(role)]})
    return world.device().update(OLD)


@attack(19, "a wrong key signs the timestamp", REFUSED, "timestamp was signed by 0/1 keys")
def _(world: World) -> Outcome:
    return _forged(world, "timestamp")


@attack(20, "a wrong key signs the snapshot", REFUSED, "snapshot")
def _(world: World) -> Outcome:
    return _forged(world, "snapshot")


@attack(21, "a wrong key signs models.json", REFUSED, "models was signed by 0/1 keys")
def _(world: World) -> Outcome:
    return _forged(world, "models")


@attack(22, "stolen online keys and the broker: a new model", REFUSED, "models was signed by 0/1 keys")
def _(world: World) -> Outcome:
    thief = world.fleet.stolen("online")
    thief.add_bundle("det", "6.6.6", {"evil.tflite": b"evil"})
    world.publish(thief)
    device = world.device()
    found = device.update("det@6.6.6")
    assert not device.bundles()
    return found


def _driven(world: World) -> tuple[Outcome, Device]:
    device = world.device()
    device.update(OLD)
    thief = world.fleet.stolen("online")
    thief.fast_forward(999_999)
    world.publish(thief)
    return device.update(OLD), device


@attack(23, "stolen online keys: fast-forward to version 999999", "accepted")
def _(world: World) -> Outcome:
    found, _ = _driven(world)
    assert found.refreshed
    assert found.refreshed.timestamp == 999_999
    return found


@attack(24, "... and honest metadata afterwards", REFUSED, "timestamp")
def _(world: World) -> Outcome:
    _, device = _driven(world)
    world.publish()
    return device.update(OLD)


def _rotated(world: World, *, hint: bool, known: bool) -> Outcome:
    device = world.device()
    if known:
        device.update(OLD)
    world.fleet.rotate("root")
    world.fleet.rotate("online")
    world.publish()
    if not hint:
        world.shelf.put({"hint": b""})
    found = device.update(OLD)
    assert found.refreshed
    assert found.refreshed.root == 3
    return found


@attack(25, "none: root and online keys were rotated", "accepted")
def _(world: World) -> Outcome:
    return _rotated(world, hint=True, known=True)


@attack(26, "... and a new device that has the first root", "accepted")
def _(world: World) -> Outcome:
    return _rotated(world, hint=True, known=False)


@attack(27, "root and online keys were rotated, the hint is gone", "accepted")
def _(world: World) -> Outcome:
    return _rotated(world, hint=False, known=True)


@attack(28, "... and a new device that has the first root, without the hint", "accepted")
def _(world: World) -> Outcome:
    return _rotated(world, hint=False, known=False)


@attack(29, "... and a device that was driven to version 999999", "accepted")
def _(world: World) -> Outcome:
    _, device = _driven(world)
    world.fleet.rotate("online")
    world.publish()
    return device.update(OLD)


@attack(30, "a forged next root, and a hint that lies", REFUSED, "root was signed by 0/2 keys")
def _(world: World) -> Outcome:
    thief = world.fleet.stolen()
    thief.publish("root")
    world.shelf.put(
        {"meta/2.root.json": thief.meta["2.root.json"], "hint": b'{"v":1,"root":99,"timestamp":1}'}
    )
    return world.device().update(OLD)


@attack(31, "a next root that one of two signs", REFUSED, "root was signed by 1/2 keys")
def _(world: World) -> Outcome:
    thief = world.fleet.stolen("root-1")
    thief.publish("root")
    world.shelf.put({"meta/2.root.json": thief.meta["2.root.json"], "hint": thief.hint})
    return world.device().update(OLD)


@attack(32, "a hint hides that the root was rotated: the lie is found out", "accepted")
def _(world: World) -> Outcome:
    world.fleet.rotate("online")
    world.publish()
    world.shelf.put({"hint": b'{"v":1,"root":1,"timestamp":2}'})
    return world.device().update(OLD)


@attack(33, "none: 1.0.0 was revoked", "Absent", "it is not published, or was revoked")
def _(world: World) -> Outcome:
    world.fleet.revoke("models/det/1.0.0/manifest.json")
    world.publish()
    return world.device().update(OLD)


@attack(34, "... and 1.1.0 is still there", "accepted")
def _(world: World) -> Outcome:
    world.add("1.1.0", NEXT)
    world.fleet.revoke("models/det/1.0.0/manifest.json")
    world.publish()
    return world.device().update(NEW)
