"""Attacks 41 to 55: on what devices remember, on clocks, documents and hints."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulators.attack import REFUSED, attack
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.update_world import NEW, NEXT, OLD

if TYPE_CHECKING:
    from tests.simulators.update_world import World
    from tests.simulators.updating import Device, Outcome


@attack(41, "hint and broker hide that the root was rotated", REFUSED, "timestamp was signed by 0/1")
def _(world: World) -> Outcome:
    device = world.device()
    device.update(OLD)
    world.fleet.rotate("online")
    world.publish()
    world.shelf.put({"hint": b'{"v":1,"root":1,"timestamp":2}', "meta/2.root.json": b""})
    return device.update(OLD)


@attack(42, "the device has lost its metadata, and old one is replayed", REFUSED, "and this device has seen")
def _(world: World) -> Outcome:
    first, device = world.updated()
    shutil.rmtree(device.folder / "tuf")
    world.shelf.show(first)
    return device.update(OLD)


@attack(43, "the device has lost its metadata, and nobody lies", "accepted")
def _(world: World) -> Outcome:
    _, device = world.updated()
    shutil.rmtree(device.folder / "tuf")
    return device.update(NEW)


@attack(44, "the device's metadata is garbled, and old one is replayed", REFUSED, "and this device has seen")
def _(world: World) -> Outcome:
    first, device = world.updated()
    for path in (device.folder / "tuf").glob("*.json"):
        if path.name != "root.json":
            path.write_bytes(b"garbled")
    world.shelf.show(first)
    return device.update(OLD)


def _dated(world: World, days: int) -> tuple[Outcome, Device]:
    device = world.device()
    device.update(OLD)
    thief = world.fleet.stolen("online")
    thief.now += timedelta(days=days)
    thief.resign()
    world.publish(thief)
    found = device.update(OLD)
    world.fleet.resign()
    world.fleet.resign()
    world.publish()
    return found, device


@attack(45, "stolen online keys date metadata to 2099", REFUSED, "root: it has expired on")
def _(world: World) -> Outcome:
    return _dated(world, 73 * 365)[0]


@attack(46, "... and honest metadata afterwards", "accepted")
def _(world: World) -> Outcome:
    return _dated(world, 73 * 365)[1].update(OLD)


@attack(47, "stolen online keys date metadata 300 days ahead; then honest metadata", REFUSED, "behind")
def _(world: World) -> Outcome:
    found, device = _dated(world, 300)
    assert found.verdict == "accepted"
    return device.update(OLD)


@attack(48, "... and honest metadata of new online keys", "accepted")
def _(world: World) -> Outcome:
    _, device = _dated(world, 300)
    world.fleet.rotate("online")
    world.publish()
    return device.update(OLD)


@attack(49, "stolen online keys put an old policy back", REFUSED, "fleet")
def _(world: World) -> Outcome:
    world.fleet.add_document("fleet/policy.json", b'{"v":1,"names":["det"]}')
    world.publish()
    device = world.device()
    device.update(OLD)
    loose = world.fleet.stolen("online")
    world.fleet.add_document("fleet/policy.json", b'{"v":1,"names":[]}')
    world.publish()
    assert device.update(OLD).verdict == "BundleRefused policy.names"
    loose.fast_forward(world.fleet.version("timestamp") + 1)
    world.publish(loose)
    return device.update(OLD)


@attack(50, "the fleet's key vouches for a model", "Absent", "does not name it")
def _(world: World) -> Outcome:
    thief = world.fleet.stolen("online", "fleet")
    manifest = json.dumps({"schema": 2}).encode()
    thief.add_target("fleet", "models/det/6.6.6/manifest.json", manifest)
    world.publish(thief)
    return world.device().update("det@6.6.6")


@attack(51, "metadata of another fleet", REFUSED, "timestamp was signed by 0/1 keys")
def _(world: World) -> Outcome:
    device = world.device()
    device.update(OLD)
    other = TufFleet()
    other.add_bundle("det", "1.0.0", {"evil.tflite": b"evil"})
    world.shelf.show(other.files())
    return device.update(OLD)


@attack(52, "metadata larger than it may be", "FetchFailed", "16384 is the most")
def _(world: World) -> Outcome:
    padded = world.fleet.meta["timestamp.json"] + b" " * (16 << 10)
    world.shelf.put({"meta/timestamp.json": padded})
    return world.device().update(OLD)


@attack(53, "metadata that is garbled", REFUSED, "timestamp")
def _(world: World) -> Outcome:
    world.shelf.put({"meta/timestamp.json": b"[" * 10_000})
    return world.device().update(OLD)


@attack(54, "hints that are none", "accepted")
def _(world: World) -> Outcome:
    for number, lie in enumerate([b"[" * 900, b'{"v":1,"root":-1}', b"x" * 9999]):
        world.shelf.put({"hint": lie})
        assert world.device(str(number)).update(OLD).verdict == "accepted"
    return world.device().update(OLD)


@attack(55, "none: the device was away for two root rotations and a year of metadata", "accepted")
def _(world: World) -> Outcome:
    device = world.device()
    device.update(OLD)
    for _ in range(12):
        world.fleet.resign()
    for what in ("root", "online", "models", "root", "fleet", "online"):
        world.fleet.rotate(what)
    for _ in range(354):
        world.fleet.resign()
    world.add("1.1.0", NEXT)
    found = device.update(NEW)
    assert found.refreshed
    assert found.refreshed.root == 5
    return found
