"""Bundles: whole and proved, or not there at all; what is there is not fetched twice."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import manifest as manifests
from agent.manifest import entry
from agent.updater.messages import Progress
from agent.updater.parts import Part, fill
from tests.simulators.lying_shelf import LyingShelf
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from tests.simulators.updated import Updated

CHUNK = 1 << 10
MODEL = bytes(range(256)) * 30  # seven chunks and a half
FILES = {"model.tflite": MODEL, "labels.txt": b"a\nb\n", "golden/0.npy": os.urandom(3000)}


@pytest.fixture
def fleet() -> TufFleet:
    found = TufFleet()
    found.add_bundle("det", "1.0.0", FILES, chunk_size=CHUNK)
    return found


def model_chunk(number: int) -> str:
    return f"blob/{entry('m', MODEL).sha256}/{number}"


def test_a_bundle_lies_under_its_digest_for_this_user_alone(device: Updated) -> None:
    device.run("det@1.0.0")
    found = device.fetched
    files = device.bundles()[found.digest]
    data = files.pop("manifest.json")
    assert files == FILES
    assert manifests.digest(data) == found.digest
    assert (found.size, found.fetched) == (
        sum(map(len, FILES.values())) + len(data),
        sum(map(len, FILES.values())),
    )
    for path in (device.folder / "bundles").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert not list((device.folder / "incoming").iterdir())


def test_a_bundle_that_is_there_is_not_fetched_again(device: Updated) -> None:
    device.run("det@1.0.0")
    device.shelf.given.clear()
    device.run("det@1.0.0")
    assert device.fetched.fetched == 0
    assert {sha256 for sha256, _ in device.shelf.given} <= {device.fetched.digest}


def test_a_bundle_that_the_disk_has_damaged_is_fetched_again(device: Updated) -> None:
    device.run("det@1.0.0")
    path = device.folder / "bundles" / device.fetched.digest / "labels.txt"
    path.write_bytes(b"a\nc\n")
    device.run("det@1.0.0")
    assert device.fetched.fetched > 0
    assert path.read_bytes() == b"a\nb\n"
    assert not list((device.folder / "incoming").iterdir())


def test_progress_is_told_at_the_start_and_at_the_end(device: Updated) -> None:
    device.run("det@1.0.0")
    total = sum(map(len, FILES.values()))
    told = device.of(Progress)
    assert (told[0].done, told[-1].done) == (0, total)
    assert {one.total for one in told} == {total}


def test_a_damaged_chunk_is_asked_for_again_and_then_named(device: Updated) -> None:
    right = device.shelf.files[model_chunk(3)]
    device.shelf.lies[model_chunk(3)] = right[:-1] + b"!", 2
    device.run("det@1.0.0")
    assert device.fetched.digest


@pytest.mark.parametrize("lie", [b"", b"short", b"x" * CHUNK, b"x" * (CHUNK - 1)])
def test_what_stays_damaged_is_told_kept_out_and_only_it_is_fetched_later(
    lie: bytes, device: Updated
) -> None:
    right = device.shelf.files[model_chunk(3)]
    device.shelf.files[model_chunk(3)] = lie
    device.run("det@1.0.0")
    assert device.failure.error == "FetchFailed"
    assert "chunks 3 came damaged 3 times" in device.failure.problem
    assert device.shelf.asked.count(model_chunk(3)) == 3
    assert not device.bundles()
    device.shelf.files[model_chunk(3)] = right
    device.shelf.given.clear()
    device.run("det@1.0.0")
    assert device.shelf.given.count((entry("m", MODEL).sha256, 3)) == 1
    assert not [one for one in device.shelf.given if one[0] == entry("m", MODEL).sha256 and one[1] != 3]
    assert set(device.bundles()) == {device.fetched.digest}


def test_a_missing_chunk_is_told_and_the_others_are_kept(device: Updated) -> None:
    right = device.shelf.files.pop(model_chunk(2))
    device.run("det@1.0.0")
    assert device.failure.error == "Absent"
    device.shelf.files[model_chunk(2)] = right
    device.run("det@1.0.0")
    assert device.fetched.fetched == CHUNK + len(FILES["labels.txt"]) + len(FILES["golden/0.npy"])


def test_swapped_chunks_are_refused(device: Updated) -> None:
    files = device.shelf.files
    files[model_chunk(0)], files[model_chunk(7)] = files[model_chunk(7)], files[model_chunk(0)]
    device.run("det@1.0.0")
    assert device.failure.error == "FetchFailed"
    assert "chunks 0, 7" in device.failure.problem


def test_a_chunk_that_is_too_large_is_not_taken(device: Updated) -> None:
    device.shelf.files[model_chunk(5)] += b"!" * (1 << 20)
    device.run("det@1.0.0")
    assert device.failure.error == "FetchFailed"


def test_chunks_that_nobody_asked_for_or_twice_or_out_of_order_do_no_harm(device: Updated) -> None:
    device.shelf.extra = [(0, b"x" * CHUNK), (99, b"y"), (1 << 60, b"z"), (-1, MODEL[:CHUNK])]
    device.shelf.twice = True
    device.shelf.order = lambda numbers: list(reversed(numbers))
    device.run("det@1.0.0")
    assert device.bundles()[device.fetched.digest]["model.tflite"] == MODEL
    assert device.fetched.fetched == sum(map(len, FILES.values()))


def test_what_is_on_its_way_and_not_wanted_any_more_is_deleted(fleet: TufFleet, device: Updated) -> None:
    device.shelf.left = 12
    device.run("det@1.0.0")
    assert device.failure.error == "LinkLost"
    assert list((device.folder / "incoming").iterdir())
    fleet.add_bundle("det", "1.1.0", {"model.tflite": b"two"})
    device.shelf = LyingShelf(fleet.files())
    device.run("det@1.1.0")
    assert device.fetched.digest
    assert not list((device.folder / "incoming").iterdir())


def test_what_is_on_its_way_stays_while_nobody_can_prove_what_is_wanted(
    fleet: TufFleet, device: Updated
) -> None:
    device.shelf.left = 12
    device.run("det@1.0.0")
    there = list((device.folder / "incoming").rglob("*"))
    fleet.sign("models")
    device.shelf = LyingShelf(fleet.files())
    del device.shelf.files[fleet.name("models")]
    device.run("det@1.0.0")
    assert device.failure.error == "Absent"
    assert there == list((device.folder / "incoming").rglob("*"))


def test_bundles_that_nobody_needs_make_room_oldest_first(fleet: TufFleet, device: Updated) -> None:
    digests: list[str] = []
    for number in range(4):
        fleet.add_bundle("det", f"2.{number}", {"model.tflite": bytes([number]) * 10_000})
        device.shelf.files = fleet.files()
        device.run(f"det@2.{number}", max_bytes=35_000, keep=tuple(digests[:1]))
        digests.append(device.fetched.digest)
        os.utime(device.folder / "bundles" / digests[-1], (1000 + number, 1000 + number))
    assert set(device.bundles()) == {digests[0], digests[1], digests[2], digests[3]}
    fleet.add_bundle("det", "2.9", {"model.tflite": b"9" * 10_000})
    device.shelf.files = fleet.files()
    device.run("det@2.9", max_bytes=35_000, keep=(digests[0],))
    assert set(device.bundles()) == {digests[0], digests[2], digests[3], device.fetched.digest}


@settings(max_examples=60)
@given(
    data=st.binary(min_size=1, max_size=9 * CHUNK),
    chunk=st.integers(CHUNK, 2 * CHUNK),
    there=st.binary(max_size=10 * CHUNK),
    cut=st.integers(0, 10),
    right=st.integers(0, 9 * CHUNK),
)
def test_a_part_becomes_the_file_whatever_was_there_and_wherever_it_was_cut(
    data: bytes, chunk: int, there: bytes, cut: int, right: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(data[:right] + there[right:])
        _becomes(path, data, chunk, cut)


def test_what_a_part_has_too_much_is_cut_off(tmp_path: Path) -> None:
    path, one = tmp_path / "model.tflite", entry("model.tflite", MODEL, CHUNK)
    path.write_bytes(MODEL + b"more")
    with Part(path, one) as part:
        assert part.missing == []
        fill(part, one, LyingShelf({}), list[int]().append)
    assert path.read_bytes() == MODEL


def _becomes(path: Path, data: bytes, chunk: int, cut: int) -> None:
    one = entry("model.tflite", data, chunk)
    cuts = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    shelf = LyingShelf({f"blob/{one.sha256}/{number}": piece for number, piece in enumerate(cuts)})
    came: list[int] = []
    with Part(path, one) as part:
        sound = set(range(len(cuts))) - set(part.missing)
        for number in part.missing[:cut]:
            assert part.put(number, cuts[number])
            assert not part.put(number, cuts[number] + b"!")
    with Part(path, one) as part:
        assert not sound & set(part.missing)
        assert part.done == len(data) - sum(len(cuts[number]) for number in part.missing)
        wanted = len(data) - part.done
        fill(part, one, shelf, came.append)
    assert path.read_bytes() == data
    assert sum(came) == wanted
