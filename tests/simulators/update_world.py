"""A fleet, a broker that holds what it has published, and devices that ask for it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.simulators.retained import Retained
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updating import Device

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulators.tuf_fleet import Files

CHUNK = 1 << 10
MODEL = Random(7).randbytes(64 * CHUNK + 100)
OLD, NEW = "det@1.0.0", "det@1.1.0"
NEXT = {"m.tflite": MODEL[: 9 * CHUNK]}
FILES = {"m.tflite": MODEL, "labels.txt": b"cat\ndog\n"}

_numbers = itertools.count()


@dataclass(slots=True)
class World:
    """One fleet with ``det@1.0.0``, a model of 65 chunks, published under a name that nobody else has.

    Attributes:
        port: the broker's.
        folder: where devices live.
        fleet: what is signed.
        name: the fleet's.
        honest: the files of each bundle that its publisher vouches for, by the bundle's digest.
        shelf: what the broker holds.
    """

    port: int
    folder: Path
    fleet: TufFleet = field(default_factory=TufFleet)
    name: str = field(default_factory=lambda: f"fleet-{next(_numbers)}")
    honest: dict[str, dict[str, bytes]] = field(default_factory=dict)
    shelf: Retained = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = Retained(self.port, self.name)
        self.add("1.0.0", FILES)

    def add(self, version: str, files: dict[str, bytes], chunk_size: int = CHUNK) -> None:
        """Publish ``det`` in a version."""
        self.honest[self.fleet.add_bundle("det", version, files, chunk_size=chunk_size)] = files
        self.publish()

    def publish(self, *more: TufFleet) -> None:
        """Have the broker hold what the fleet has published, and over it what ``more`` have."""
        files: Files = {}
        for one in (self.fleet, *more):
            files |= one.files()
        self.shelf.show(files)

    def updated(self) -> tuple[Files, Device]:
        """Give what is published now, and a device that has seen what came after it: 1.1.0."""
        first = self.fleet.files()
        self.add("1.1.0", NEXT)
        device = self.device()
        assert device.update(NEW).verdict == "accepted"
        return first, device

    def device(self, name: str = "first") -> Device:
        """Give the device of this name; one that is new knows nothing but the first root."""
        return Device(self.folder / name, self.fleet.root, self.port, self.name)

    def chunk(self, number: int) -> str:
        """Give the path of a chunk of the model."""
        sha256 = next(sha256 for sha256, chunks in self.fleet.blobs.items() if len(chunks) == 65)
        return f"blob/{sha256}/{number}"
