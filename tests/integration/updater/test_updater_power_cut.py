"""Power cuts while bundles come: what has a bundle's name is whole, and the next run brings the rest."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.updater.messages import Fetched
from tests.simulators.power_cut import Disk, build, compile_trace, traced
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updated import Updated

if TYPE_CHECKING:
    from tests.simulators.power_cut import Op

STATES = int(os.environ.get("EDGE_AGENT_TESTS_POWER_CUTS", "500")) // 10
ASKS = ("det@1.0.0", "pump@1")
FILES = {"model.tflite": os.urandom(20_000), "golden/deep/0.npy": os.urandom(3000)}
CHUNK = 4096

# Loses the link two times, and says which bundles it has by then.
PROGRAM = """
import json, os, sys
from pathlib import Path
from agent import files
from agent.updater import parts
from agent.updater.messages import Fetched
from tests.simulators.updated import Updated

root, published, wrong = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]
if wrong:
    os.fsync = os.fdatasync = lambda descriptor: None
shown = {path: text.encode("latin-1") for path, text in published.items()}
marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for left in (9, 5, None):
    device = Updated(root, shown["meta/1.root.json"], shown)
    device.shelf.left = left
    device.run("det@1.0.0", "pump@1")
    for one in device.of(Fetched):
        os.write(marks, f"{one.name} {one.digest}\\n".encode())
"""


@pytest.fixture(scope="module")
def fleet() -> TufFleet:
    found = TufFleet()
    found.add_bundle("det", "1.0.0", FILES, chunk_size=CHUNK)
    found.add_bundle("pump", "1", {"model.tflite": FILES["model.tflite"][:9000]}, chunk_size=CHUNK)
    return found


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    return compile_trace(tmp_path_factory.mktemp("shim"))


def trace_of(shim: Path, folder: Path, fleet: TufFleet, wrong: str = "") -> list[Op]:
    root = folder / "models"
    root.mkdir()
    published = folder / "published.json"
    published.write_text(json.dumps({path: data.decode("latin-1") for path, data in fleet.files().items()}))
    return traced(PROGRAM, root, shim, str(published), wrong)


def judged(disk: Disk, noise: random.Random, fleet: TufFleet) -> str:
    """Make one state and look at it; say what is wrong with it."""
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name) / "models"
        build(folder, disk.state(noise), ["bundles", "incoming"])
        device = Updated(folder, fleet.root, fleet.files())
        there = {digest: files for digest, files in device.bundles().items() if "manifest.json" in files}
        if gone := {mark.split()[1] for mark in disk.marks} - there.keys():
            return f"{gone} were fetched and are gone"
        device.run(*ASKS)
        if [one.name for one in device.of(Fetched)] != ["det", "pump"]:
            return f"the next run says {device.said}"
        whole = device.bundles()
        if any(files != whole[digest] for digest, files in there.items()):
            return "a bundle had its name and was not whole"
        right = whole[device.of(Fetched)[0].digest]
        return "" if all(right[path] == data for path, data in FILES.items()) else "the files are wrong"


def cut(trace: list[Op], states: int, fleet: TufFleet) -> list[str]:
    noise = random.Random(5)
    points = sorted(noise.randrange(len(trace)) for _ in range(states))
    disk, wrong = Disk(), []
    for at, op in enumerate(trace):
        disk.play(op)
        found = [judged(disk, noise, fleet) for _ in range(points.count(at))]
        wrong += [f"after operation {at} ({op.kind} {op.path}): {problem}" for problem in found if problem]
    return wrong


def test_no_power_cut_leaves_half_a_bundle(shim: Path, tmp_path: Path, fleet: TufFleet) -> None:
    trace = trace_of(shim, tmp_path, fleet)
    moved = [op for op in trace if op.kind == "R" and op.path.startswith("incoming/") and "." not in op.path]
    assert len(moved) == len([op for op in trace if op.kind == "M"]) == 2
    assert trace.index(moved[0]) > len(trace) / 2  # the link was lost before
    assert cut(trace, STATES, fleet) == []


def test_an_updater_that_syncs_nothing_is_caught(shim: Path, tmp_path: Path, fleet: TufFleet) -> None:
    """So that the test above is known to see what it looks for."""
    assert cut(trace_of(shim, tmp_path, fleet, "nothing"), 25, fleet) != []
