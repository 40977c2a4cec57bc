"""Damage to the store's files: every flipped bit is noticed or harmless, and costs one block at the most."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.blocks import unpack
from agent.store.settings import StoreSettings
from tests.simulators.outboxes import drained, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FLIPS = 200
AIMED = 80
PAGE = 4096
BLOCK = 8
RECORDS = 480
SETTINGS = StoreSettings(block_results=BLOCK, segment_bytes=1 << 20)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one segment of blocks of all sizes, from a few hundred bytes to several pages."""
    folder = tmp_path_factory.mktemp("written")
    noise = random.Random(4)
    with closing(opened(folder, SETTINGS)) as outbox:
        for n in range(1, RECORDS + 1):
            size = noise.choice([10, 60, 200, 900])
            outbox.put([{"n": n, "x": noise.randbytes(size).hex()}], {"p": {"captured": n}})
            if n % BLOCK == 0:
                outbox.flush()
    return folder


def the_segment(folder: Path) -> Path:
    [path] = (folder / "segments").glob("*.db")
    return path


def places(data: bytes) -> Iterator[int]:
    """Bits to flip: anywhere, and where SQLite keeps what it knows of the file and of its pages."""
    noise = random.Random(9)
    for _ in range(FLIPS - AIMED):
        yield noise.randrange(len(data) * 8)
    pages = range(0, len(data), PAGE)
    leaves = [page for page in pages if page and data[page] == 0x0D]
    for _ in range(AIMED // 4):
        yield noise.randrange(100) * 8 + noise.randrange(8)  # the file's header
        yield (noise.choice(leaves) + noise.randrange(8)) * 8 + noise.randrange(8)  # a page's header
        yield (noise.choice(leaves) + 8 + noise.randrange(8)) * 8 + noise.randrange(8)  # where its cells are
        yield (noise.choice(pages[1:]) + noise.randrange(4)) * 8 + noise.randrange(8)  # overflow


def what_is_left(folder: Path) -> tuple[set[int], set[int]]:
    """Open the folder and drain it: the records that came, as they were written, and those declared lost."""
    came: set[int] = set()
    lost: set[int] = set()
    with closing(opened(folder, SETTINGS)) as outbox:
        for lease in drained(outbox):
            for block in lease.blocks:
                found = {record["n"] for record in unpack(block).records}
                assert found == set(range(block.first, block.last + 1))
                assert not found & came
                came |= found
            lost |= {seq for loss in lease.lost for seq in range(loss.first, loss.last + 1)}
        counted = outbox.status().streams["result"].lost
    assert counted == len(lost)
    return came, lost


def damaged_copy(written: Path, target: Path, harm: Callable[[bytearray], None]) -> Path:
    shutil.copytree(written, target)
    path = the_segment(target)
    data = bytearray(path.read_bytes())
    harm(data)
    path.write_bytes(data)
    return target


def test_a_flipped_bit_is_noticed_or_harmless_and_costs_one_block_at_the_most(
    written: Path, tmp_path: Path
) -> None:
    whole = set(range(1, RECORDS + 1))
    costs = []
    for number, place in enumerate(places(the_segment(written).read_bytes())):

        def flip(data: bytearray, place: int = place) -> None:
            data[place // 8] ^= 1 << place % 8

        came, lost = what_is_left(damaged_copy(written, tmp_path / str(number), flip))
        assert came | lost == whole, f"bit {place} hid {sorted(whole - came - lost)}"
        assert not came & lost
        assert len(lost) <= BLOCK, f"bit {place} cost {len(lost)} records"
        costs.append(len(lost))
        shutil.rmtree(tmp_path / str(number))
    assert len(costs) == FLIPS
    assert costs.count(BLOCK) > FLIPS // 3  # a test that damages nothing shows nothing


@pytest.mark.parametrize("page", [0, 1, 2, 5, -1])
def test_a_page_of_zeros_costs_what_was_in_it(written: Path, tmp_path: Path, page: int) -> None:
    def zero(data: bytearray) -> None:
        at = page * PAGE if page >= 0 else len(data) - PAGE
        data[at : at + PAGE] = bytes(PAGE)

    came, lost = what_is_left(damaged_copy(written, tmp_path / "copy", zero))
    assert came | lost == set(range(1, RECORDS + 1))
    assert len(lost) <= 8 * BLOCK


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_gives_what_is_left_of_it(written: Path, tmp_path: Path, share: float) -> None:
    def cut(data: bytearray) -> None:
        del data[int(share * len(data)) :]

    came, lost = what_is_left(damaged_copy(written, tmp_path / "copy", cut))
    assert came | lost == set(range(1, RECORDS + 1))
    assert len(came) >= (share - 0.1) * RECORDS * 0.8


def test_a_damaged_state_costs_no_record(written: Path, tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        shutil.copytree(written, folder)
        state = folder / "state.db"
        data = bytearray(state.read_bytes())
        place = random.Random(number).randrange(len(data) * 8)
        data[place // 8] ^= 1 << place % 8
        state.write_bytes(data if number else b"no database" * 999)
        came, lost = what_is_left(folder)
        assert (came, lost) == (set(range(1, RECORDS + 1)), set())


def test_a_damaged_file_is_kept_aside_and_the_next_start_finds_a_sound_one(
    written: Path, tmp_path: Path
) -> None:
    def zero(data: bytearray) -> None:
        data[2 * PAGE : 3 * PAGE] = bytes(PAGE)

    folder = damaged_copy(written, tmp_path / "copy", zero)
    first = what_is_left(folder)
    assert len(list((folder / "quarantine").glob("*.db"))) == 1
    assert what_is_left(folder) == first
    assert len(list((folder / "quarantine").glob("*.db"))) == 1
    with closing(sqlite3.connect(the_segment(folder))) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
