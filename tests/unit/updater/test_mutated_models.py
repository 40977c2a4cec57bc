"""Model files that somebody has changed on their way: none is ever whole, and no parser sees one."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from agent import manifest as manifests
from agent.errors import FetchFailed
from agent.updater.parts import Part, fill
from tests.simulators.lying_shelf import LyingShelf
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updating import Device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL = Path("models/glyphs/glyphs.tflite")
COUNT = 10_000
CHUNK = 8 << 10


def flipped(data: bytearray, noise: Random) -> None:
    for _ in range(noise.choice((1, 1, 8, 64))):
        data[noise.randrange(len(data))] ^= 1 << noise.randrange(8)


def overwritten(data: bytearray, noise: Random) -> None:
    at = noise.randrange(len(data))
    data[at : at + 4] = noise.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", noise.randbytes(4)))


def moved(data: bytearray, noise: Random) -> None:
    one, other, size = noise.randrange(len(data)), noise.randrange(len(data)), noise.randrange(1, 200)
    data[one : one + size] = data[other : other + size]


def shortened(data: bytearray, noise: Random) -> None:
    del data[noise.randrange(1, len(data)) :]


def lengthened(data: bytearray, noise: Random) -> None:
    data += noise.randbytes(noise.randrange(1, 3000))


def inserted(data: bytearray, noise: Random) -> None:
    at = noise.randrange(len(data))
    data[at:at] = noise.randbytes(noise.randrange(1, 50))


WAYS: tuple[Callable[[bytearray, Random], None], ...] = (
    flipped,
    overwritten,
    moved,
    shortened,
    lengthened,
    inserted,
)


def mutants(honest: bytes) -> Iterator[dict[int, bytes]]:
    """Give changed models for ever, in chunks."""
    noise = Random(3)
    while True:
        mutant = bytearray(honest)
        noise.choice(WAYS)(mutant, noise)
        if mutant != honest:
            cuts = range(0, max(len(honest), len(mutant)), CHUNK)
            yield {number: bytes(mutant[at : at + CHUNK]) for number, at in enumerate(cuts)}


def test_of_10000_mutated_models_only_chunks_that_were_signed_are_written(tmp_path: Path) -> None:
    honest = MODEL.read_bytes()
    entry = manifests.entry("glyphs.tflite", honest, CHUNK)
    path, shelf = tmp_path / "glyphs.tflite", LyingShelf({})
    for chunks in islice(mutants(honest), COUNT):
        shelf.files = {f"blob/{entry.sha256}/{number}": chunk for number, chunk in chunks.items()}
        path.unlink(missing_ok=True)
        with Part(path, entry) as part:
            with pytest.raises(FetchFailed, match="came damaged 3 times"):
                fill(part, entry, shelf, lambda _: None)
            written = path.read_bytes()
            assert part.missing
        for at in range(0, len(written), CHUNK):
            assert written[at : at + CHUNK] in (honest[at : at + CHUNK], bytes(CHUNK))


def test_no_mutated_model_becomes_a_bundle_and_the_honest_one_does_afterwards(tmp_path: Path) -> None:
    honest, fleet = MODEL.read_bytes(), TufFleet()
    digest = fleet.add_bundle("glyphs", "1", {"glyphs.tflite": honest}, chunk_size=CHUNK)
    device, shelf = Device(tmp_path, fleet.root), LyingShelf(fleet.files())
    sha256 = manifests.entry("glyphs.tflite", honest).sha256
    for chunks in islice(mutants(honest), 20):
        shelf.files = fleet.files() | {f"blob/{sha256}/{n}": chunk for n, chunk in chunks.items()}
        outcome = device.update("glyphs@1", shelf=shelf)
        if outcome.verdict == "accepted":  # each attempt brings chunks that this mutant has left alone
            break
        assert outcome.verdict == "FetchFailed"
        assert not device.bundles()
    assert device.update("glyphs@1", shelf=LyingShelf(fleet.files())).verdict == "accepted"
    assert device.bundles()[digest]["glyphs.tflite"] == honest


_PROGRAM = """
import json, sys
from pathlib import Path
from tests.simulators.lying_shelf import LyingShelf
from tests.simulators.updating import Device
folder, lies = Path(sys.argv[1]), json.loads(sys.stdin.read())
shelf = LyingShelf({path: bytes.fromhex(data) for path, data in lies["files"].items()})
for attempt in range(3):
    print(Device(folder, lies["root"].encode()).update("glyphs@1", shelf=shelf).verdict)
parsers = ("numpy", "cv2", "ai_edge_litert", "tflite_runtime", "agent.tflite.outline", "agent.bundles.load")
print([name for name in parsers if name in sys.modules])
"""


def test_an_updater_loads_nothing_that_could_parse_a_model(tmp_path: Path) -> None:
    honest, fleet = MODEL.read_bytes(), TufFleet()
    fleet.add_bundle("glyphs", "1", {"glyphs.tflite": honest}, chunk_size=CHUNK)
    sha256 = manifests.entry("glyphs.tflite", honest).sha256
    chunks = next(mutants(honest))
    files = fleet.files() | {f"blob/{sha256}/{number}": chunk for number, chunk in chunks.items()}
    lies = {"root": fleet.root.decode(), "files": {path: data.hex() for path, data in files.items()}}
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    found = subprocess.run(command, input=json.dumps(lies), capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["FetchFailed"] * 3 + ["[]"]
