"""A disk that fills, or refuses, while a bundle comes: what has come is kept, and the rest comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulators.namespaces import namespaces_needed, run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import os
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updated import Updated

model = os.urandom(4 << 20)
fleet = TufFleet()
fleet.add_bundle("det", "1", {"model.tflite": model})
mount("size=26m")
device = Updated(folder / "models", fleet.root, fleet.files())
chunks = device.shelf.chunks

def filling(sha256, numbers, most):
    for number, data in chunks(sha256, numbers, most):
        if number == 7 and len(numbers) > 8:
            fill()
        yield number, data

device.shelf.chunks = filling
device.run("det@1")
print(device.failure.error, device.failure.name, "|", device.failure.hint)
device.shelf.chunks = chunks
(folder / "filler").unlink()
mount("remount,ro")
device.run("det@1")
print(device.failure.error, "|", device.failure.hint)
mount("remount,rw")
device.run("det@1")
print(len(model) - device.fetched.fetched == 7 * (127 << 10))
print(device.bundles()[device.fetched.digest]["model.tflite"] == model)
"""


def test_what_has_come_is_kept_on_a_disk_that_fills_or_refuses(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    namespaces_needed(place)
    assert run(PROGRAM, place, namespace=True).splitlines() == [
        "DiskFull det | Free some room on it; what has come is kept, and the rest is fetched later",
        "StoreBusy | Look at the disk: is it read-only, or damaged?",
        "True",
        "True",
    ]
