from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.blocks import Block
from agent.errors import FolderUnusable, StoreBusy
from agent.store.segment import FORMAT, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def blocks(*counts: int, first: int = 1, size: int = 100) -> list[Block]:
    made = []
    for count in counts:
        made.append(Block(first, count, random.Random(first).randbytes(size)))
        first += count
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "result-0123456789abcdef-000000000001.db"


@pytest.fixture
def segment(path: Path) -> Iterator[Segment]:
    with closing(Segment.create(path)) as made:
        yield made


def test_what_was_appended_is_read(segment: Segment) -> None:
    made = blocks(3, 1, 5)
    segment.append(made[:2])
    segment.append(made[2:])
    assert segment.read(1, 10_000) == tuple(made)
    assert segment.last() == 9


def test_reading_starts_with_the_block_that_holds_the_record(segment: Segment) -> None:
    made = blocks(3, 4, 5)
    segment.append(made)
    assert segment.read(3, 10_000) == tuple(made)
    assert segment.read(4, 10_000) == tuple(made[1:])
    assert segment.read(7, 10_000) == tuple(made[1:])
    assert segment.read(8, 10_000) == tuple(made[2:])
    assert segment.read(13, 10_000) == ()


def test_reading_starts_with_the_next_block_when_the_record_came_before_the_file(segment: Segment) -> None:
    made = blocks(3, first=50)
    segment.append(made)
    assert segment.read(1, 10_000) == tuple(made)


@pytest.mark.parametrize(
    ("room", "count"), [(0, 1), (99, 1), (100, 1), (199, 1), (200, 2), (299, 2), (300, 3)]
)
def test_reading_stops_at_the_size_but_gives_one_block_at_least(
    segment: Segment, room: int, count: int
) -> None:
    segment.append(blocks(1, 1, 1))
    assert len(segment.read(1, room)) == count


def test_what_is_read_at_once_has_no_gap(segment: Segment) -> None:
    segment.append(blocks(2))
    segment.append(blocks(2, first=9))
    assert [block.first for block in segment.read(1, 10_000)] == [1]
    assert [block.first for block in segment.read(3, 10_000)] == [9]


def test_reading_does_not_stand_in_the_way_of_the_log_being_folded_in(segment: Segment, path: Path) -> None:
    for number in range(200):
        segment.append(blocks(1, first=number + 1, size=20_000))
        segment.read(1, 1)
    assert path.with_name(f"{path.name}-wal").stat().st_size <= 2 << 20


def test_an_empty_segment_has_nothing(segment: Segment) -> None:
    assert segment.last() == 0
    assert segment.read(1, 100) == ()


def test_append_tells_the_size_of_the_file(segment: Segment, path: Path) -> None:
    size = segment.append(blocks(1, size=100_000))
    segment.close()
    assert size == path.stat().st_size


def test_a_full_disk_stores_all_blocks_of_an_append_or_none(segment: Segment) -> None:
    segment.append(blocks(1))
    segment._db.execute("PRAGMA max_page_count=8")
    with pytest.raises(StoreBusy, match="the disk is full"):
        segment.append([*blocks(1, first=2), *blocks(1, first=3, size=100_000)])
    assert segment.last() == 1
    segment._db.execute("PRAGMA max_page_count=1000")
    segment.append([*blocks(1, first=2), *blocks(1, first=3, size=100_000)])
    assert segment.last() == 3


def test_a_lock_of_another_program_is_a_reason_to_try_later(segment: Segment, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="another program has locked it"):
            segment.append(blocks(1))
        other.execute("ROLLBACK")
    segment.append(blocks(1))
    assert segment.last() == 1


def test_a_number_that_is_taken_is_a_bug_of_ours(segment: Segment) -> None:
    segment.append(blocks(1))
    with pytest.raises(sqlite3.IntegrityError):
        segment.append(blocks(1))


def test_commits_reach_the_disk_before_they_are_reported(segment: Segment) -> None:
    modes = [segment._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]


def test_a_closed_segment_is_one_file_that_can_be_read_without_writing(segment: Segment, path: Path) -> None:
    segment.append(blocks(2, 2))
    segment.close()
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    with closing(Segment.sealed(path)) as again:
        assert again.read(1, 10_000) == tuple(blocks(2, 2))
        assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_segment_that_a_crash_left_open_is_read_with_its_log(segment: Segment, path: Path) -> None:
    segment.append(blocks(2, 2))
    crashed = path.with_name("crashed.db")
    for suffix in ("", "-wal"):
        crashed.with_name(f"crashed.db{suffix}").write_bytes(
            path.with_name(f"{path.name}{suffix}").read_bytes()
        )
    with closing(Segment.sealed(crashed)) as again:
        assert again.read(1, 10_000) == tuple(blocks(2, 2))


@pytest.mark.parametrize("content", [b"", None])
def test_a_segment_that_a_crash_left_unmade_is_made(path: Path, content: bytes | None) -> None:
    if content is None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
    else:
        path.write_bytes(content)
    with closing(Segment.create(path)) as segment:
        segment.append(blocks(1))
        assert segment.last() == 1


def test_a_segment_that_is_not_there_is_not_made_for_reading(path: Path) -> None:
    with pytest.raises(StoreBusy):
        Segment.sealed(path)
    assert not path.exists()


@pytest.mark.parametrize("opener", [Segment.create, Segment.sealed])
def test_a_file_that_is_no_database_is_refused(path: Path, opener: Callable[[Path], Segment]) -> None:
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(FolderUnusable, match="damaged"):
        opener(path)
    assert path.read_bytes()[:2] == b"no"


def test_a_database_of_somebody_else_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE photos (id)")
    with pytest.raises(FolderUnusable, match=r"somebody else's\. Move the file away"):
        Segment.create(path)


def test_a_newer_format_is_refused_with_both_versions(segment: Segment, path: Path) -> None:
    segment._db.execute("PRAGMA user_version=7")
    with pytest.raises(FolderUnusable, match="version 7, this release reads version 2"):
        Segment.create(path)
    assert FORMAT.version == 2


def damage(path: Path, column: str, bit: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if column == "data":
            [data] = db.execute("SELECT data FROM blocks WHERE first = 4").fetchone()
            flipped = bytearray(data)
            flipped[bit // 8 % len(data)] ^= 1 << bit % 8
            db.execute("UPDATE blocks SET data = ? WHERE first = 4", (bytes(flipped),))
        else:
            db.execute(
                f"UPDATE blocks SET {column} = ({column} | :m) & ~({column} & :m) WHERE first = 4",  # noqa: S608
                {"m": 1 << bit % 31},
            )


@settings(max_examples=30, deadline=None)
@given(column=st.sampled_from(["first", "count", "crc", "data"]), bit=st.integers(0, 799))
def test_a_flipped_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, column: str, bit: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "segment.db"
    with closing(Segment.create(path)) as segment:
        segment.append(blocks(3, 3))
        damage(path, column, bit)
        assert segment.read(1, 100_000) == tuple(blocks(3))
        [row] = segment._db.execute("SELECT first FROM blocks WHERE first != 1").fetchall()
        with pytest.raises(FolderUnusable, match="is damaged"):
            segment.read(row[0], 100_000)


def test_blocks_before_a_damaged_one_are_given(segment: Segment, path: Path) -> None:
    segment.append(blocks(3, 3, 3))
    damage(path, "data", 5)
    assert segment.read(1, 100_000) == tuple(blocks(3))
    with pytest.raises(FolderUnusable, match=r"records 4\.\.6 is damaged"):
        segment.read(4, 100_000)
    assert segment.read(7, 100_000) == tuple(blocks(3, 3, 3))[2:]
