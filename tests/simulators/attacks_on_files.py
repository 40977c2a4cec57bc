"""Attacks 1 to 9 and 35 to 40: on the files that the metadata vouches for."""

from __future__ import annotations

import threading
from random import Random
from typing import TYPE_CHECKING

from agent.link.settings import LinkSettings, Message
from agent.manifest import entry
from tests.simulators.attack import attack
from tests.simulators.retained import send
from tests.simulators.update_world import CHUNK, FILES, MODEL, OLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulators.update_world import World
    from tests.simulators.updating import Outcome

NOISE = Random(1).randbytes(2 << 20)


@attack(1, "none", "accepted")
def _(world: World) -> Outcome:
    device = world.device()
    found = device.update(OLD)
    assert device.bundles().keys() == world.honest.keys()
    return found


def _garbled(world: World) -> Outcome:
    world.shelf.put({world.chunk(7): NOISE[:CHUNK]})
    return world.device().update(OLD)


attack(2, "chunk 7 is garbled", "FetchFailed", "chunks 7 came damaged 3 times")(_garbled)


@attack(3, "... put right again, same device", "accepted")
def _(world: World) -> Outcome:
    _garbled(world)
    world.publish()
    found = world.device().update(OLD)
    assert found.fetched[0].fetched == CHUNK + len(FILES["labels.txt"])
    return found


def _missing(world: World) -> Outcome:
    world.shelf.put({world.chunk(9): b""})
    return world.device().update(OLD)


attack(4, "chunk 9 is missing", "Absent", "does not have 1 of 65")(_missing)


@attack(5, "... put back, same device", "accepted")
def _(world: World) -> Outcome:
    _missing(world)
    world.publish()
    found = world.device().update(OLD)
    assert found.fetched[0].fetched == CHUNK + len(FILES["labels.txt"])
    return found


@attack(6, "chunks 3 and 4 are swapped", "FetchFailed", "chunks 3, 4 came damaged 3 times")
def _(world: World) -> Outcome:
    files = world.fleet.files()
    three, four = world.chunk(3), world.chunk(4)
    world.shelf.put({three: files[four], four: files[three]})
    return world.device().update(OLD)


@attack(7, "chunk 5 is larger than any packet may be", "Absent", "does not have 1 of 65")
def _(world: World) -> Outcome:
    world.shelf.put({world.chunk(5): NOISE})
    return world.device().update(OLD)


@attack(8, "335 chunks more than there are", "accepted")
def _(world: World) -> Outcome:
    world.shelf.put({world.chunk(number): NOISE[:1000] for number in range(65, 400)})
    device = world.device()
    found = device.update(OLD)
    assert not list((device.folder / "incoming").iterdir())
    return found


@attack(9, "a storm of wrong chunks and doubles while it fetches", "accepted")
def _(world: World) -> Outcome:
    big = Random(2).randbytes(8 << 20)
    world.add("2.0.0", {"big.tflite": big}, 64 << 10)
    paths = [path for path in world.fleet.files() if path.endswith(("/0", "/60", "/127"))]
    over = threading.Event()

    def noise() -> Iterator[Message]:
        while not over.is_set():
            for path in paths:
                yield Message(f"edge/v1/{world.name}/tuf/{path}", NOISE[:1000])

    settings = LinkSettings("127.0.0.1", world.port, "storm", protocol="3.1.1")
    storm = threading.Thread(target=send, args=(settings, noise()))
    storm.start()
    try:
        return world.device().update("det@2.0.0")
    finally:
        over.set()
        storm.join()


@attack(35, "a manifest is garbled", "FetchFailed", "it came damaged 3 times")
def _(world: World) -> Outcome:
    [digest] = world.honest
    manifest = bytearray(world.fleet.files()[f"blob/{digest}/0"])
    manifest[100] ^= 1
    world.shelf.put({f"blob/{digest}/0": bytes(manifest)})
    return world.device().update(OLD)


@attack(36, "chunk 5 is larger than its file's chunks", "FetchFailed", "1025 bytes, and 1024 is the most")
def _(world: World) -> Outcome:
    world.shelf.put({world.chunk(5): MODEL[5 * CHUNK : 6 * CHUNK + 1]})
    return world.device().update(OLD)


@attack(37, "chunks of another version of the model", "FetchFailed", "came damaged 3 times")
def _(world: World) -> Outcome:
    other = bytes(byte ^ 1 for byte in MODEL)
    world.shelf.put({world.chunk(n): other[n * CHUNK : (n + 1) * CHUNK] for n in range(65)})
    device = world.device()
    found = device.update(OLD)
    assert not list((device.folder / "bundles").iterdir())
    return found


@attack(38, "chunks that are signed and make another file", "BundleRefused manifest", "do not make the file")
def _(world: World) -> Outcome:
    data = MODEL[: 2 * CHUNK]
    lie = entry("m.tflite", data, CHUNK).model_dump(mode="json") | {"sha256": "0" * 64}
    world.fleet.add_bundle("det", "3.0.0", {"m.tflite": data}, files=[lie])
    world.fleet.blobs["0" * 64] = [data[:CHUNK], data[CHUNK:]]
    world.publish()
    return world.device().update("det@3.0.0")


@attack(39, "a manifest that leads out of its folder", "BundleRefused manifest", "path")
def _(world: World) -> Outcome:
    lie = {"path": "../m", "sha256": "0" * 64, "size": 1}
    world.fleet.add_bundle("det", "3.0.0", {"m.tflite": b"x"}, files=[lie])
    world.publish()
    return world.device().update("det@3.0.0")


@attack(40, "a manifest of another model", "BundleRefused manifest", "it is of det@1.0.0")
def _(world: World) -> Outcome:
    [digest] = world.honest
    manifest = world.fleet.files()[f"blob/{digest}/0"]
    world.fleet.add_target("models", "models/det/3.0.0/manifest.json", manifest)
    world.publish()
    return world.device().update("det@3.0.0")
